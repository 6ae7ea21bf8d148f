//! Which [`Kind`] a tool's output is, by its call.

use super::kind::Kind;
use super::{code, script};
use crate::compress::Source;
use crate::compress::call::{Call, plain_name, script_of};
use crate::compress::json;

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

/// The kind of a block; `None` where nothing may be left out of it: it may be what a file holds, or is data.
pub(super) fn kind_of(block: Source<'_>) -> Option<Kind> {
    let tool = block.tool?;
    let name = tool.rsplit("__").next().unwrap_or(tool);
    let name = plain_name(name);
    let is = |tools: &[&str]| tools.contains(&name.as_str());
    let in_code = |input| code::commands(input).filter(|_| name == CODE_TOOL);
    let script = block
        .input
        .and_then(|input| script_of(input).or_else(|| in_code(input)));
    let kind = if let Some(script) = script {
        script::kind(&script)?
    } else if is(&SEARCH_TOOLS) {
        Kind::Search
    } else if is(&LIST_TOOLS) {
        Kind::Listing
    } else if is(&REPORT_TOOLS) {
        Kind::Report
    } else {
        return None;
    };
    let reads_file = || Call::of(Some(tool), block.input).reads_file;
    (!reads_file() && !json::is_json(block.text)).then_some(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(tool: &str, input: &str) -> Option<Kind> {
        kind_of(Source {
            text: "text",
            tool: Some(tool),
            input: Some(input),
        })
    }

    #[test]
    fn a_tools_name_says_what_its_output_is() {
        assert_eq!(kind("Grep", "{}"), Some(Kind::Search));
        assert_eq!(kind("list_dir", "{}"), Some(Kind::Listing));
        assert_eq!(kind("mcp__web__web_fetch", "{}"), Some(Kind::Report));
        let tests = r#"{"command":"cargo test"}"#;
        assert_eq!(kind("Bash", tests), Some(Kind::Messages));
        let code = "text((await tools.exec_command({cmd: 'cargo test'})).output)";
        assert_eq!(kind("exec", code), Some(Kind::Messages));
        assert_eq!(kind("other", code), None);
        for tool in ["Read", "Edit", "Write", "NotebookRead", "unknown"] {
            assert_eq!(kind(tool, r#"{"file_path":"a.rs"}"#), None);
        }
    }

    #[test]
    fn data_and_texts_of_users_have_no_kind() {
        let block = |tool, text| Source {
            text,
            tool,
            input: Some(r#"{"command":"cargo run"}"#),
        };
        assert_eq!(kind_of(block(Some("Bash"), r#"{"a": [1, 2]}"#)), None);
        assert_eq!(kind_of(block(None, "text")), None);
        assert!(kind_of(block(Some("Bash"), "[INFO] text")).is_some());
    }
}
