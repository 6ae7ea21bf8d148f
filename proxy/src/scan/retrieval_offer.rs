//! Whether a request lets the model call the retrieval tool: it is among the tools, and the choice of tools does not rule it out.

use std::borrow::Cow;

use headroom_shared::contract::retrieval;
use memchr::memmem;
use serde::Deserialize;

/// A tool in the JSON of tools, or a group of them, as far as it tells which they are. Chat completions have it in `function`.
#[derive(Deserialize)]
struct Tool<'a> {
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    function: Option<Function<'a>>,
    #[serde(borrow, default)]
    tools: Vec<Tool<'a>>,
    #[serde(default)]
    defer_loading: bool,
}

#[derive(Deserialize)]
struct Function<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
}

/// Which tools the model may call, as `tool_choice` says it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Choice<'a> {
    /// OpenAI's `none`, `auto` and `required`.
    Mode(#[serde(borrow)] Cow<'a, str>),
    /// Anthropic's objects, one tool that must be called, or OpenAI's list of those that may be.
    Of(#[serde(borrow)] OfTools<'a>),
}

#[derive(Deserialize)]
struct OfTools<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    /// Chat completions have the list in there.
    #[serde(borrow, default)]
    allowed_tools: Option<AllowedTools<'a>>,
    #[serde(borrow, flatten)]
    tool: Tool<'a>,
}

#[derive(Deserialize)]
struct AllowedTools<'a> {
    #[serde(borrow, default)]
    tools: Vec<Tool<'a>>,
}

/// Whether the retrieval tool is among these tools, in JSON, without being deferred.
pub(super) fn offers_retrieval_tool(tools: &[u8]) -> bool {
    // Nearly all requests do not even mention it.
    if memmem::find(tools, retrieval::TOOL.as_bytes()).is_none() {
        return false;
    }
    let tools: Vec<Tool<'_>> = serde_json::from_slice(tools).unwrap_or_default();
    names_retrieval(&tools)
}

/// Whether the retrieval tool is among these, and not deferred.
fn names_retrieval(tools: &[Tool<'_>]) -> bool {
    let mut left: Vec<&Tool<'_>> = tools.iter().collect();
    while let Some(tool) = left.pop() {
        let name = tool.name.as_deref();
        let name = name.or(tool.function.as_ref().map(|it| &*it.name));
        if tool.defer_loading {
            continue;
        }
        if name.is_some_and(retrieval::is_retrieval_tool) {
            return true;
        }
        left.extend(&tool.tools);
    }
    false
}

/// Whether a choice of tools, in JSON, lets the model call the retrieval tool. One that is not known does not.
pub(super) fn may_call_retrieval_tool(choice: &[u8]) -> bool {
    let Ok(choice) = serde_json::from_slice::<Option<Choice<'_>>>(choice) else {
        return false;
    };
    let is_free = |mode: &str| matches!(mode, "auto" | "any" | "required");
    match choice {
        None => true,
        Some(Choice::Mode(mode)) => is_free(&mode),
        Some(Choice::Of(of)) => {
            let allowed = of.allowed_tools.map(|it| it.tools).unwrap_or_default();
            is_free(&of.kind) || names_retrieval(&allowed) || names_retrieval(&[of.tool])
        }
    }
}

#[cfg(test)]
mod tests {
    use headroom_shared::contract::id::DigestKey;

    use crate::dialect::DIALECTS;
    use crate::scan::scan;

    const TOOL: &str = r#"{"type":"function","name":"headroom_retrieve"}"#;

    /// Whether a request of the dialect at this place, with these members, offers the tool.
    fn offers(dialect: usize, members: &str) -> bool {
        let key = DigestKey::from_bytes([7; 32]);
        let scan = scan(format!("{{{members}}}").as_bytes(), DIALECTS[dialect], &key);
        scan.expect("a request").offers_retrieval()
    }

    /// Whether a request of Claude Code with these tools offers it.
    fn claude_offers(tools: &str) -> bool {
        offers(0, &format!(r#""messages":[],"tools":[{tools}]"#))
    }

    /// Whether a request of Codex with these items and tools offers it.
    fn codex_offers(items: &str, tools: &str) -> bool {
        offers(2, &format!(r#""input":[{items}],"tools":[{tools}]"#))
    }

    #[test]
    fn claude_code_offers_it_under_the_name_of_its_server() {
        let tool = r#"{"name":"mcp__headroom__headroom_retrieve","input_schema":{}}"#;
        assert!(claude_offers(&format!(r#"{{"name":"Bash"}},{tool}"#)));
        let deferred = tool.replace("input_schema\":{}", "defer_loading\":true");
        assert!(!claude_offers(&deferred));
        let mentioned = r#"{"name":"Bash","description":"mcp__headroom__headroom_retrieve"}"#;
        assert!(!claude_offers(mentioned));
    }

    #[test]
    fn codex_groups_the_tools_of_a_server() {
        let group = format!(r#"{{"type":"namespace","name":"mcp__headroom","tools":[{TOOL}]}}"#);
        assert!(codex_offers("", &group));
        assert!(!codex_offers(
            "",
            &group.replace("\"tools\"", "\"defer_loading\":true,\"tools\"")
        ));
    }

    #[test]
    fn codex_sends_tools_of_models_that_write_scripts_as_an_item() {
        let group = format!(r#"{{"type":"namespace","name":"mcp__headroom","tools":[{TOOL}]}}"#);
        let item = format!(r#"{{"type":"additional_tools","role":"developer","tools":[{group}]}}"#);
        assert!(codex_offers(&item, ""));
        // What a search found is deferred.
        assert!(!codex_offers(
            &item.replace("additional_tools", "tool_search_output"),
            ""
        ));
        // A tool of scripts alone is described in the tool that runs them.
        let script = r#"{"type":"custom","name":"exec","description":"mcp__headroom__headroom_retrieve(args)"}"#;
        assert!(!codex_offers(&item.replace(&group, script), ""));
    }
}
