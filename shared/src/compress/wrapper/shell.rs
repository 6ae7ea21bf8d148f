//! What the tools that run commands say before and behind an output: how it ended, how long it took, where it ran.
//!
//! Codex ends its lines before an output with `Output:`; Claude Code says `Exit code 1` first and `Shell cwd was reset to …` last; others
//! say the exit code last, or print a prompt.

use std::ops::Range;

use super::Wrapper;

/// The most bytes and lines before an output, or behind it.
const MAX_BYTES: usize = 400;
const MAX_LINES: usize = 8;

/// How the last line before an output reads.
const OPENINGS: [&str; 4] = ["Output:", "Command output:", "OBSERVATION:", "Stdout:"];

/// With this on its first line, an output begins in the middle of a line.
const COMMAND: &str = "Command: ";
const OUTPUT: &str = "Output: ";

/// How lines begin that say how a command ended, and where; in small letters.
const STATUS: [&str; 21] = [
    "background pids:",
    "bash-$",
    "chunk id:",
    "command completed with exit code",
    "command exited with",
    "command failed with exit code",
    "command finished with exit code",
    "current directory:",
    "current working directory:",
    "error: (none)",
    "error: exit code",
    "exit code",
    "exit status",
    "open file:",
    "process exited with code",
    "process group pgid:",
    "python interpreter:",
    "shell cwd was reset to",
    "signal:",
    "the command completed with exit code",
    "wall time:",
];

pub(super) struct Shell;

impl Wrapper for Shell {
    fn inside(&self, text: &str) -> Option<Range<usize>> {
        let start = before_len(text);
        let end = text.len() - behind_len(&text[start..]);
        let is_wrapped = start > 0 || end < text.len();
        (is_wrapped && start < end).then_some(start..end)
    }
}

/// Bytes of the lines before an output.
fn before_len(text: &str) -> usize {
    let (mut len, mut status) = (0, 0);
    for line in text.split_inclusive('\n').take(MAX_LINES) {
        if line.starts_with(OUTPUT) && text.starts_with(COMMAND) {
            return len + OUTPUT.len();
        }
        len += line.len();
        if len > MAX_BYTES {
            break;
        }
        if OPENINGS.contains(&line.trim_end()) {
            return len;
        }
        if status + line.len() == len && is_status(line) {
            status = len;
        }
    }
    status
}

/// Bytes of the lines behind an output, and of the white space before them.
fn behind_len(text: &str) -> usize {
    let (mut rest, mut behind) = (text, 0);
    for _ in 0..MAX_LINES {
        let trimmed = rest.trim_end();
        let Some(at) = trimmed.rfind('\n') else { break };
        if text.len() - at > MAX_BYTES || !is_status(&trimmed[at + 1..]) {
            break;
        }
        rest = trimmed[..at].trim_end();
        behind = text.len() - rest.len();
    }
    behind
}

fn is_status(line: &str) -> bool {
    let line = line.trim().trim_start_matches(['[', '(']);
    STATUS.iter().any(|status| {
        let start = line.as_bytes().get(..status.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(status.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(before: &str, output: &str, behind: &str) {
        let text = format!("{before}{output}{behind}");
        let found = Shell.inside(&text);
        assert_eq!(found.map(|found| &text[found]), Some(output), "{text:?}");
    }

    #[test]
    fn what_tools_say_of_a_command_is_set_apart() {
        let output = "one: 1\n\ntwo: 2";
        for (before, behind) in [
            (
                "Chunk ID: 1f\nWall time: 0.1 seconds\nProcess exited with code 0\nOutput:\n",
                "",
            ),
            ("Exit code: 0\nWall time: 1 seconds\nOutput:\n", "\n"),
            ("Exit code 1\n", ""),
            ("", "\nexit code 0"),
            ("", "\n[exit code: 1]\n"),
            ("", "\n\nShell cwd was reset to /srv/app"),
            (
                "",
                "\n(Open file: /a.py)\n(Current directory: /srv)\nbash-$",
            ),
            (
                "Command: ls\nDirectory: (root)\nOutput: ",
                "\nError: (none)\nExit Code: 0\nSignal: (none)\n",
            ),
        ] {
            let (behind, more) = match behind {
                "\n" => ("", "\n"),
                behind => (behind, ""),
            };
            check(before, &format!("{output}{more}"), behind);
        }
    }

    #[test]
    fn other_texts_are_left_alone() {
        let long = format!("{}\nOutput:\nx", "a".repeat(MAX_BYTES));
        let far = format!("{}Output:\nx", "a\n".repeat(MAX_LINES));
        for text in [
            "",
            "Output",
            "Output:x\n",
            "exit code",
            "x: 1\nexit",
            &long,
            &far,
        ] {
            assert_eq!(Shell.inside(text), None, "{text:?}");
        }
    }
}
