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

/// Whether the retrieval tool is among these tools, in JSON, without being deferred, and the model may call it by this choice of tools, if
/// there is one.
pub(super) fn offers_retrieval(tools: &[u8], choice: Option<&[u8]>) -> bool {
    // Nearly all requests do not even mention it.
    if memmem::find(tools, retrieval::TOOL.as_bytes()).is_none() {
        return false;
    }
    let tools: Vec<Tool<'_>> = serde_json::from_slice(tools).unwrap_or_default();
    names_retrieval(&tools) && choice.is_none_or(may_call_retrieval)
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
fn may_call_retrieval(choice: &[u8]) -> bool {
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
