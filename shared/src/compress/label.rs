//! The label of an earlier block by which a model finds it: its tool and the argument that identifies the call.

use serde::Deserialize;
use serde_json::Value;

const MAX_CHARS: usize = 60;

/// The arguments that distinguish the calls of a tool, in the names that agents give them.
#[derive(Deserialize)]
struct Arguments {
    file_path: Option<Value>,
    path: Option<Value>,
    command: Option<Value>,
    cmd: Option<Value>,
    pattern: Option<Value>,
    query: Option<Value>,
    url: Option<Value>,
}

/// One line of at most about eighty characters.
pub(super) fn label(tool: Option<&str>, input: Option<&str>) -> String {
    let tool = tool.unwrap_or("text");
    match input.and_then(main_argument) {
        Some(argument) => format!("{} {argument}", one_line(tool, MAX_CHARS)),
        None => one_line(tool, MAX_CHARS),
    }
}

fn main_argument(input: &str) -> Option<String> {
    let arguments: Arguments = serde_json::from_str(input).ok()?;
    if let Some(path) = arguments.file_path.as_ref().and_then(Value::as_str) {
        return Some(tail_of_path(path));
    }
    let command = arguments.command.or(arguments.cmd);
    let argument = command
        .or(arguments.pattern)
        .or(arguments.query)
        .or(arguments.url)
        .or(arguments.path)?;
    match argument {
        Value::String(text) => Some(one_line(&text, MAX_CHARS)),
        Value::Array(words) => Some(one_line(words.last()?.as_str()?, MAX_CHARS)),
        _ => None,
    }
}

/// The end of a path says more than its beginning.
fn tail_of_path(path: &str) -> String {
    let chars = path.chars().count();
    if chars <= MAX_CHARS {
        return one_line(path, MAX_CHARS);
    }
    let tail: String = path.chars().skip(chars - MAX_CHARS).collect();
    format!("…{}", one_line(&tail, MAX_CHARS))
}

/// The text without line breaks and other control characters, cut to `max` characters.
pub(super) fn one_line(text: &str, max: usize) -> String {
    let mut chars = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut line: String = chars.by_ref().take(max).collect();
    if chars.next().is_some() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_argument_that_says_most_is_named() {
        let of = |input| label(Some("T"), Some(input));
        assert_eq!(of(r#"{"file_path":"/a/b.rs","limit":3}"#), "T /a/b.rs");
        assert_eq!(of(r#"{"path":"src","pattern":"x y"}"#), "T x y");
        assert_eq!(of(r#"{"command":["bash","-lc","ls\n-l"]}"#), "T ls -l");
        assert_eq!(of(r#"{"other":1}"#), "T");
        assert_eq!(of("not json"), "T");
        assert_eq!(label(None, None), "text");
    }

    #[test]
    fn long_arguments_are_cut() {
        let path = format!(r#"{{"file_path":"/{}/end.rs"}}"#, "é".repeat(100));
        assert!(label(Some("Read"), Some(&path)).ends_with("é/end.rs"));
        let command = format!(r#"{{"command":"echo {}"}}"#, "é".repeat(100));
        assert!(label(Some("Bash"), Some(&command)).starts_with("Bash echo é"));
        assert!(label(Some("Bash"), Some(&command)).chars().count() < 70);
    }
}
