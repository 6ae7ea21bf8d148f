//! Which [`OutputKind`] a text is, by the call that it answers.

use super::{code, script};
use crate::compress::Source;
use crate::compress::call::{Call, plain_name, script_of};
use crate::compress::json::{self, parse::LazyDocument};
use crate::contract::output_kind::{OutputKind, OutputKinds};

/// Tools that search files, in plain names: see [`plain_name`].
const SEARCH_TOOLS: [&str; 5] = ["codesearch", "grep", "grepsearch", "ripgrep", "searchfiles"];

/// Tools that list files.
const LIST_TOOLS: [&str; 9] = [
    "filesearch",
    "findfiles",
    "glob",
    "listdir",
    "listdirectory",
    "listfiles",
    "ls",
    "searchfilenames",
    "tree",
];

/// Tools whose output is prose: agents that report, and pages of the web.
const REPORT_TOOLS: [&str; 7] = [
    "agent",
    "dispatchagent",
    "fetch",
    "task",
    "webfetch",
    "websearch",
    "websearchprime",
];

/// Codex' tool that runs code, in which commands are calls.
const CODE_TOOL: &str = "exec";

/// Whether a block is of one of these kinds.
#[must_use]
pub fn is_of(block: Source<'_>, kinds: OutputKinds) -> bool {
    !kinds.is_empty() && kinds.contains(kind_of(block))
}

/// What a block is, as far as its call tells.
#[must_use]
pub fn kind_of(block: Source<'_>) -> OutputKind {
    let Some(tool) = block.tool else {
        return OutputKind::Other;
    };
    if Call::of(Some(tool), block.input).reads_file {
        return OutputKind::Read;
    }
    if json::is_json(&LazyDocument::new(block.text)) {
        return OutputKind::Other;
    }
    let script = block.input.and_then(|input| script_of_call(tool, input));
    match script {
        Some(script) => script::kind(&script).unwrap_or(OutputKind::Other),
        None => kind_of_tool(&name_of(tool)),
    }
}

/// The script that a call runs, by its tool's name and its input.
pub(super) fn script_of_call(tool: &str, input: &str) -> Option<String> {
    let in_code = || code::commands(input).filter(|_| name_of(tool) == CODE_TOOL);
    script_of(input).or_else(in_code)
}

/// The plain name of a tool, without that of its server.
fn name_of(tool: &str) -> String {
    plain_name(tool.rsplit("__").next().unwrap_or(tool))
}

/// The kind of what a tool returns that runs no script, by its plain name.
fn kind_of_tool(name: &str) -> OutputKind {
    let is = |tools: &[&str]| tools.contains(&name);
    if is(&SEARCH_TOOLS) {
        OutputKind::Search
    } else if is(&LIST_TOOLS) {
        OutputKind::Listing
    } else if is(&REPORT_TOOLS) {
        OutputKind::Report
    } else {
        OutputKind::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(tool: &str, input: &str) -> OutputKind {
        kind_of(Source {
            text: "text",
            tool: Some(tool),
            input: Some(input),
        })
    }

    #[test]
    fn a_tools_name_says_what_its_output_is() {
        assert_eq!(kind("Grep", "{}"), OutputKind::Search);
        assert_eq!(kind("list_dir", "{}"), OutputKind::Listing);
        assert_eq!(kind("mcp__web__web_fetch", "{}"), OutputKind::Report);
        let tests = r#"{"command":"cargo test"}"#;
        assert_eq!(kind("Bash", tests), OutputKind::Messages);
        let code = "text((await tools.exec_command({cmd: 'cargo test'})).output)";
        assert_eq!(kind("exec", code), OutputKind::Messages);
        assert_eq!(kind("other", code), OutputKind::Other);
        for tool in ["Read", "NotebookRead"] {
            assert_eq!(kind(tool, r#"{"file_path":"a.rs"}"#), OutputKind::Read);
        }
        for tool in ["Edit", "Write", "unknown"] {
            assert_eq!(kind(tool, r#"{"file_path":"a.rs"}"#), OutputKind::Other);
        }
    }

    #[test]
    fn data_and_texts_of_users_are_of_no_kind_that_is_known() {
        let block = |tool, text| Source {
            text,
            tool,
            input: Some(r#"{"command":"cargo run"}"#),
        };
        assert_eq!(
            kind_of(block(Some("Bash"), r#"{"a": [1, 2]}"#)),
            OutputKind::Other
        );
        assert_eq!(kind_of(block(None, "text")), OutputKind::Other);
        let log = kind_of(block(Some("Bash"), "[INFO] text"));
        assert_eq!(log, OutputKind::Messages);
    }
}
