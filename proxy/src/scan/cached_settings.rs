//! What a provider's cache of a prefix depends on besides its messages: the model, tools, instructions and some settings.

use std::ops::Range;

use headroom_shared::contract::id::{KeyedHasher, SettingsId};
use memchr::{memchr, memmem, memrchr};

/// What a text of the instructions begins with that Claude Code changes with each request. Anthropic's cache passes over it
/// (`docs/providers.md`).
const BILLING_HEADER: &[u8] = b"x-anthropic-billing-header:";

/// The members of one body that hold those settings.
#[derive(Debug, Default)]
pub(super) struct CachedSettings<'a> {
    /// The name of each, and where its value stands.
    members: Vec<(&'a [u8], Range<usize>)>,
}

impl<'a> CachedSettings<'a> {
    /// Adds a member.
    pub(super) fn push(&mut self, name: &'a [u8], value: Range<usize>) {
        self.members.push((name, value));
    }

    /// What names the settings. The order of the members is no part of it, and neither are the cache markers, whose values stand in the body
    /// at `markers`.
    pub(super) fn id(
        mut self,
        body: &[u8],
        markers: &[Range<usize>],
        mut hasher: KeyedHasher,
    ) -> SettingsId {
        self.members.sort_by_key(|(name, _)| *name);
        for (name, value) in self.members {
            hasher.update(name);
            let first = markers.partition_point(|marker| marker.start < value.start);
            let within = |marker: &&Range<usize>| marker.end <= value.end;
            let mut rest = value.start;
            for marker in markers[first..].iter().take_while(within) {
                let before = without_last_name(&body[rest..marker.start]);
                update_without_billing_header(&mut hasher, before);
                rest = marker.end;
            }
            update_without_billing_header(&mut hasher, &body[rest..value.end]);
        }
        hasher.finish().into()
    }
}

/// JSON that ends where the value of a member begins, without that member's name and the comma before it.
fn without_last_name(json: &[u8]) -> &[u8] {
    let before_name = || {
        let name = json.trim_ascii_end().strip_suffix(b":")?;
        let name = name.trim_ascii_end().strip_suffix(b"\"")?;
        Some(name[..memrchr(b'"', name)?].trim_ascii_end())
    };
    let Some(before) = before_name() else {
        return json;
    };
    before
        .strip_suffix(b",")
        .map_or(before, <[u8]>::trim_ascii_end)
}

/// Adds JSON to what is hashed, but for the first text in it that is a billing header.
fn update_without_billing_header(hasher: &mut KeyedHasher, json: &[u8]) {
    let header = memmem::find(json, BILLING_HEADER).filter(|at| json[..*at].ends_with(b"\""));
    let Some(start) = header else {
        hasher.update(json);
        return;
    };
    let end = memchr(b'"', &json[start..]).map_or(json.len(), |end| start + end);
    hasher.update(&json[..start]);
    hasher.update(&json[end..]);
}

#[cfg(test)]
mod tests {
    use headroom_shared::contract::id::{DigestKey, SettingsId};

    use crate::dialect::DIALECTS;
    use crate::scan::scan;

    fn id(members: &str) -> SettingsId {
        let body = format!(r#"{{{members},"messages":[{{"role":"user","content":"hi"}}]}}"#);
        let key = DigestKey::from_bytes([7; 32]);
        scan(body.as_bytes(), DIALECTS[0], &key)
            .unwrap()
            .settings
            .unwrap()
    }

    const REQUEST: &str =
        r#""model":"m","tools":[{"name":"a"},{"name":"b"}],"system":[{"type":"text","text":"s"}]"#;

    #[test]
    fn what_the_provider_s_cache_depends_on_names_them() {
        let mut ids = vec![id(REQUEST)];
        for (from, to) in [
            (r#""m""#, r#""n""#),
            (r#",{"name":"b"}"#, ""),
            (r#""s""#, r#""t""#),
            (r#""tools""#, r#""tool_choice":{"type":"any"},"tools""#),
            (r#""tools""#, r#""thinking":{"type":"enabled"},"tools""#),
            (r#""tools""#, r#""output_config":{"effort":"high"},"tools""#),
        ] {
            let changed = REQUEST.replacen(from, to, 1);
            assert_ne!(changed, REQUEST);
            ids.push(id(&changed));
        }
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 7);
    }

    #[test]
    fn what_the_provider_s_cache_passes_over_does_not() {
        let with = |system: &str| id(&format!(r#""model":"m","tools":[],"system":{system}"#));
        let header = |nonce: &str| {
            with(&format!(
                r#"[{{"type":"text","text":"x-anthropic-billing-header: cch={nonce};"}},{{"type":"text","text":"s"}}]"#
            ))
        };
        assert_eq!(header("a"), header("b"));
        let marked =
            with(r#"[{"type":"text","text":"s" , "cache_control": {"type":"ephemeral"}}]"#);
        assert_eq!(marked, with(r#"[{"type":"text","text":"s"}]"#));
        assert_ne!(marked, with(r#"[{"type":"text","text":"t"}]"#));
        let other_order = r#""stream":true,"system":[{"type":"text","text":"s"}],"max_tokens":7,"tools":[{"name":"a"},{"name":"b"}],"model":"m""#;
        assert_eq!(id(other_order), id(REQUEST));
    }
}
