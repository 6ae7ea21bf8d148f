//! What a provider's cache of a prefix depends on besides its messages: the model, tools, instructions and some settings.

use std::ops::Range;

use headroom_shared::contract::id::{KeyedHasher, SettingsId};
use memchr::{memchr, memmem, memrchr};

use super::retrieval_offer::{may_call_retrieval_tool, offers_retrieval_tool};

/// What a text of the instructions begins with that Claude Code changes with each request. Anthropic's cache passes over it
/// (`docs/providers.md`).
const BILLING_HEADER: &[u8] = b"x-anthropic-billing-header:";

/// So many members are told apart. A body with more has some of them twice, and it is not known which the provider reads.
const MAX_MEMBERS: usize = 64;
/// What a tool has that Anthropic takes into the cached prefix only when the model asks for it (`docs/providers.md`).
const DEFERRED_TOOL: &[u8] = b"\"defer_loading\"";

/// What names the settings of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CacheSettings {
    /// All of them. Two bodies for which the provider has one cache may differ in it.
    pub(crate) all: SettingsId,
    /// The names of its tools; `None` where some are not in the cached prefix. Two bodies that differ in it have different caches.
    pub(crate) tools: Option<SettingsId>,
    /// Whether the retrieval tool is one of its `tools`, and the model need not search for it.
    pub(crate) offers_retrieval: bool,
    /// Whether the choice of tools, if there is one, lets the model call it.
    pub(crate) may_call_retrieval: bool,
}

/// The members of one body that hold those settings, in its order.
#[derive(Debug, Clone, Default)]
pub(crate) struct SettingsMembers {
    /// The name of each, and where its value stands.
    members: Vec<(&'static [u8], Range<usize>)>,
    /// Where the value stands that says which tools the model may call. The provider's cache need not depend on it.
    tool_choice: Option<Range<usize>>,
}

impl SettingsMembers {
    /// Adds a member.
    pub(super) fn push(&mut self, name: &'static [u8], value: Range<usize>) {
        if self.members.len() <= MAX_MEMBERS {
            self.members.push((name, value));
        }
    }

    /// Notes what says which tools the model may call.
    pub(super) fn set_tool_choice(&mut self, value: Range<usize>) {
        self.tool_choice = Some(value);
    }

    /// Whether they are the same in `body` as the other ones in another body, to the letter.
    pub(super) fn are_same(&self, body: &[u8], (other, other_body): (&Self, &[u8])) -> bool {
        let choice = self.tool_choice.as_ref().map(|value| &body[value.clone()]);
        let other_choice = other.tool_choice.as_ref();
        let mut pairs = self.members.iter().zip(&other.members);
        self.members.len() == other.members.len()
            && choice == other_choice.map(|value| &other_body[value.clone()])
            && pairs.all(|((name, value), (other_name, other))| {
                name == other_name && body[value.clone()] == other_body[other.clone()]
            })
    }

    /// What names the settings; `None` where there are too many members. The order of the members is no part of it, and neither are the
    /// cache markers, whose values stand in the body at `markers`.
    pub(super) fn named(
        &self,
        body: &[u8],
        markers: &[Range<usize>],
        new: &KeyedHasher,
    ) -> Option<CacheSettings> {
        if self.members.len() > MAX_MEMBERS {
            return None;
        }
        let mut members = self.members.clone();
        members.sort_by_key(|(name, _)| *name);
        let (mut all, mut tools) = (new.clone(), Some(new.clone()));
        let choice = self.tool_choice.as_ref().map(|value| &body[value.clone()]);
        let mut offers_retrieval = false;
        for (name, value) in members {
            all.update(name);
            if name == b"tools" {
                tools = tools.and_then(|names| with_tools(names, &body[value.clone()]));
                offers_retrieval = offers_retrieval_tool(&body[value.clone()]);
            }
            let first = markers.partition_point(|marker| marker.start < value.start);
            let within = |marker: &&Range<usize>| marker.end <= value.end;
            let mut rest = value.start;
            for marker in markers[first..].iter().take_while(within) {
                let before = without_last_name(&body[rest..marker.start]);
                update_without_billing_header(&mut all, before);
                rest = marker.end;
            }
            update_without_billing_header(&mut all, &body[rest..value.end]);
        }
        Some(CacheSettings {
            all: all.finish().into(),
            tools: tools.map(|names| names.finish().into()),
            offers_retrieval,
            may_call_retrieval: choice.is_none_or(may_call_retrieval_tool),
        })
    }
}

/// Adds the names in the JSON of tools.
fn with_tools(mut names: KeyedHasher, tools: &[u8]) -> Option<KeyedHasher> {
    const NAME: &[u8] = b"\"name\"";
    if memmem::find(tools, DEFERRED_TOOL).is_some() {
        return None;
    }
    for at in memmem::find_iter(tools, NAME) {
        let value = tools[at + NAME.len()..].trim_ascii_start();
        let value = value.strip_prefix(b":").map(<[u8]>::trim_ascii_start);
        if let Some(name) = value.and_then(|value| value.strip_prefix(b"\"")) {
            let end = memchr(b'"', name).unwrap_or(name.len());
            names.update(&name[..end]).update(b"\"");
        }
    }
    Some(names)
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

    use super::CacheSettings;
    use crate::dialect::DIALECTS;
    use crate::scan::scan;

    fn named(members: &str) -> CacheSettings {
        let body = format!(r#"{{{members},"messages":[{{"role":"user","content":"hi"}}]}}"#);
        let key = DigestKey::from_bytes([7; 32]);
        scan(body.as_bytes(), DIALECTS[0], &key)
            .unwrap()
            .settings
            .unwrap()
    }

    fn id(members: &str) -> SettingsId {
        named(members).all
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

    #[test]
    fn tools_are_told_apart_by_their_names_unless_some_are_not_in_the_prefix() {
        let tools = |tools: &str| named(&format!(r#""tools":[{tools}]"#)).tools;
        let first = tools(r#"{"name":"a","description":"x"},{"name":"b"}"#);
        let other_order_of_members = r#"{"description":"y", "name" : "a"},{"name":"b"}"#;
        assert_eq!(first, tools(other_order_of_members));
        assert_ne!(first, tools(r#"{"name":"a"}"#));
        assert_ne!(first, tools(r#"{"name":"ab"}"#));
        assert_eq!(tools(r#"{"name":"a","defer_loading":true}"#), None);
        assert!(first.is_some());
    }

    #[test]
    fn the_retrieval_tool_is_offered_where_the_model_may_call_it() {
        let offers = |dialect: usize, tools: &str, choice: &str| {
            let messages = ["messages", "messages", "input"][dialect];
            let body = format!(
                r#"{{"model":"m","tools":[{tools}],{choice}"{messages}":[{{"role":"user","content":"hi"}}]}}"#
            );
            let key = DigestKey::from_bytes([7; 32]);
            let scan = scan(body.as_bytes(), DIALECTS[dialect], &key).unwrap();
            scan.offers_retrieval()
        };
        let own = "mcp__headroom__headroom_retrieve";
        let tools = [
            format!(r#"{{"name":"Read"}},{{"name":"{own}"}}"#),
            format!(r#"{{"type":"function","function":{{"name":"{own}"}}}}"#),
            format!(r#"{{"type":"function","name":"{own}"}}"#),
        ];
        let named = |name: &str| {
            [
                format!(r#"{{"type":"tool","name":"{name}"}}"#),
                format!(r#"{{"type":"function","function":{{"name":"{name}"}}}}"#),
                format!(r#"{{"type":"function","name":"{name}"}}"#),
                format!(
                    r#"{{"type":"allowed_tools","allowed_tools":{{"mode":"auto","tools":[{{"type":"function","function":{{"name":"{name}"}}}}]}}}}"#
                ),
                format!(
                    r#"{{"type":"allowed_tools","mode":"auto","tools":[{{"type":"function","name":"{name}"}}]}}"#
                ),
            ]
        };
        let free = [
            r#"{"type":"auto","disable_parallel_tool_use":true}"#,
            r#"{"type":"any"}"#,
            r#""auto""#,
            r#""required""#,
            "null",
        ];
        let ruled_out = [
            r#"{"type":"none"}"#,
            r#""none""#,
            r#"{"type":"image_generation"}"#,
            "7",
        ];
        for (dialect, tools) in tools.iter().enumerate() {
            assert!(offers(dialect, tools, ""));
            let with =
                |choice: &str| offers(dialect, tools, &format!(r#""tool_choice":{choice},"#));
            for choice in named(own).iter().map(String::as_str).chain(free) {
                assert!(with(choice), "{dialect}: {choice}");
            }
            for choice in named("Read").iter().map(String::as_str).chain(ruled_out) {
                assert!(!with(choice), "{dialect}: {choice}");
            }
            let last = r#""tool_choice":"auto","tool_choice":"none","#;
            assert!(!offers(dialect, tools, last));
        }
        assert!(!offers(0, r#"{"name":"Read"}"#, ""));
    }

    #[test]
    fn a_body_with_very_many_of_them_has_no_name() {
        let body = format!(r#"{{{}"messages":[]}}"#, r#""tools":1,"#.repeat(100_000));
        let key = DigestKey::from_bytes([7; 32]);
        let scan = scan(body.as_bytes(), DIALECTS[0], &key).unwrap();
        assert_eq!(scan.settings, None);
    }
}
