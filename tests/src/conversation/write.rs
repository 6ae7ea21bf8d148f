//! JSON as different clients write it.

use serde_json::Value;

/// A client's way of writing JSON.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    /// Escapes everything that is not ASCII, and puts a space after `,` and `:` (Python's default).
    pub(super) python: bool,
}

impl Style {
    pub(super) fn comma(self) -> &'static str {
        if self.python { ", " } else { "," }
    }

    pub(super) fn colon(self) -> &'static str {
        if self.python { ": " } else { ":" }
    }

    /// `value` as text; in objects `type` and `role` come first.
    pub(super) fn text(self, value: &Value) -> String {
        let mut out = String::new();
        self.value(value, &mut out);
        out
    }

    fn value(self, value: &Value, out: &mut String) {
        match value {
            Value::Array(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    out.push_str(if at > 0 { self.comma() } else { "" });
                    self.value(item, out);
                }
                out.push(']');
            }
            Value::Object(fields) => {
                let mut fields: Vec<_> = fields.iter().collect();
                fields.sort_by_key(|(name, _)| match name.as_str() {
                    "type" => 0,
                    "role" => 1,
                    "cache_control" => 3,
                    _ => 2,
                });
                out.push('{');
                for (at, (name, field)) in fields.into_iter().enumerate() {
                    out.push_str(if at > 0 { self.comma() } else { "" });
                    out.push_str(&Value::from(name.as_str()).to_string());
                    out.push_str(self.colon());
                    self.value(field, out);
                }
                out.push('}');
            }
            Value::String(_) if self.python => ascii(&value.to_string(), out),
            _ => out.push_str(&value.to_string()),
        }
    }
}

fn ascii(json: &str, out: &mut String) {
    for character in json.chars() {
        if character.is_ascii() {
            out.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
}
