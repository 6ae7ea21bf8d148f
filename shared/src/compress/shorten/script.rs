//! What a shell script prints, by the programs that it runs.

use super::redirection::{is_redirected, without_duplications};
use crate::compress::command::{RUN_ANOTHER, is_assignment, without_folder};
use crate::contract::output_kind::OutputKind;

/// Programs that print what a file, a database or a server holds, or documentation.
const PRINT_CONTENT: [&str; 47] = [
    "awk",
    "base64",
    "bat",
    "cat",
    "column",
    "comm",
    "curl",
    "cut",
    "diff",
    "duckdb",
    "fold",
    "gawk",
    "head",
    "hexdump",
    "info",
    "jq",
    "less",
    "man",
    "more",
    "mysql",
    "nl",
    "node",
    "od",
    "osascript",
    "paste",
    "perl",
    "php",
    "pr",
    "psql",
    "python",
    "python3",
    "redis-cli",
    "ruby",
    "sed",
    "sort",
    "sqlite3",
    "strings",
    "tac",
    "tail",
    "tee",
    "tr",
    "type",
    "uniq",
    "wget",
    "xargs",
    "xxd",
    "yq",
];

/// Programs that search files.
const SEARCH: [&str; 7] = ["ack", "ag", "egrep", "fgrep", "grep", "rg", "ripgrep"];

/// Programs that list files.
const LIST: [&str; 6] = ["dir", "fd", "fdfind", "find", "ls", "tree"];

/// Programs that say little of what else a script prints, and words of the shell.
const SAY_NOTHING: [&str; 38] = [
    "#", ".", ":", "[", "[[", "cd", "chmod", "clear", "cp", "date", "done", "echo", "env", "esac",
    "exit", "export", "fi", "kill", "ln", "mkdir", "mv", "pkill", "popd", "printf", "pushd", "pwd",
    "read", "rm", "set", "sleep", "source", "test", "touch", "true", "unset", "wait", "which", "}",
];

/// Words of the shell that a command follows.
const BEFORE_A_COMMAND: [&str; 9] = [
    "!", "do", "else", "if", "then", "until", "while", "{", "timeout",
];

/// What a script prints; `None` where that may be content, of which each line counts.
pub(super) fn kind(script: &str) -> Option<OutputKind> {
    let hands_on = ["xargs", "-exec", "--help", "<(", "while read", "eval "];
    if hands_on.iter().any(|words| script.contains(words)) {
        return None;
    }
    let script = without_duplications(script);
    let commands = script
        .split(['\n', ';', '&'])
        .flat_map(|part| part.split("||"));
    let mut kinds = Vec::new();
    for pipeline in commands {
        match printed_by(pipeline.split('|').next().unwrap_or_default()) {
            Printed::Nothing => {}
            Printed::Content => return None,
            Printed::Kind(kind) => kinds.push(kind),
        }
    }
    let weightiest = [
        OutputKind::Search,
        OutputKind::Messages,
        OutputKind::Listing,
    ];
    weightiest.into_iter().find(|kind| kinds.contains(kind))
}

/// What a command prints.
enum Printed {
    Nothing,
    Content,
    Kind(OutputKind),
}

/// Whether a command prints nothing, or little.
pub(super) fn says_nothing(command: &str) -> bool {
    matches!(printed_by(command), Printed::Nothing)
}

fn printed_by(command: &str) -> Printed {
    let command = command.trim().trim_start_matches(['(', '\\']).trim_start();
    let mut words = command.split_whitespace().map(without_folder);
    let passed_over = |word: &&str| {
        is_assignment(word) || RUN_ANOTHER.contains(word) || BEFORE_A_COMMAND.contains(word)
    };
    let program = words.find(|word| !passed_over(word)).unwrap_or_default();
    let argument = words.clone().next().unwrap_or_default();
    match program {
        "" => Printed::Nothing,
        _ if program.starts_with('#') || SAY_NOTHING.contains(&program) => Printed::Nothing,
        _ if is_redirected(command) && !program.contains('$') => Printed::Nothing,
        "git" => printed_by_git(words),
        "gh" if argument != "run" => Printed::Content,
        "go" | "cargo" | "npm" if ["doc", "expand", "view", "metadata"].contains(&argument) => {
            Printed::Content
        }
        _ if PRINT_CONTENT.contains(&program) => Printed::Content,
        _ if SEARCH.contains(&program) => Printed::Kind(OutputKind::Search),
        _ if LIST.contains(&program) => Printed::Kind(OutputKind::Listing),
        _ => Printed::Kind(OutputKind::Messages),
    }
}

fn printed_by_git<'a>(mut words: impl Iterator<Item = &'a str>) -> Printed {
    let mut subcommand = words.next().unwrap_or_default();
    while subcommand.starts_with('-') {
        if ["-C", "-c"].contains(&subcommand) {
            words.next();
        }
        subcommand = words.next().unwrap_or_default();
    }
    match subcommand {
        "grep" => Printed::Kind(OutputKind::Search),
        "ls-files" | "ls-tree" => Printed::Kind(OutputKind::Listing),
        "add" | "checkout" | "clone" | "commit" | "fetch" | "gc" | "merge" | "pull" | "push"
        | "rebase" | "status" | "submodule" | "switch" => Printed::Kind(OutputKind::Messages),
        _ => Printed::Content,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_prints_content_is_known_wherever_it_stands() {
        for script in [
            "cat a.rs",
            "cd x && sed -n 1,200p a.rs",
            "cargo test; tail -n 100 log",
            "git show main:a.rs | head -80",
            "find . -name '*.rs' -exec cat {} +",
            "ls | xargs cat",
            "python3 -c 'print(open(1).read())'",
            "curl -s http://localhost",
            "gh api repos/a/b/contents/c",
            "cargo clippy --help",
            "git log",
            "git add . && git -C /x diff HEAD~1",
            "gh pr diff 1",
            "git blame a.rs",
            "cat a.rs 2>err.log; cargo build",
            "cat a.rs 2> err.log; cargo build",
            "cat a.rs >/dev/null; cargo build",
            "cat a.rs >&2; make",
            "cat a.rs 1>&2; make",
            "cat a.rs > /dev/stderr; make",
            "awk '$3 > 5' d.csv; make",
            "git log --format='%h <%ae>'; git status",
        ] {
            assert_eq!(kind(script), None, "{script}");
        }
    }

    #[test]
    fn the_programs_say_what_a_script_prints() {
        for (script, expected) in [
            (
                "cargo test --workspace 2>&1 | tail -80",
                OutputKind::Messages,
            ),
            ("cd app && CI=1 pnpm test", OutputKind::Messages),
            ("cat > a.txt << 'E'\nmake\nE\nmake", OutputKind::Messages),
            ("grep -rn x src | head", OutputKind::Search),
            ("git -C /x push origin main", OutputKind::Messages),
            ("find . -name '*.rs' | sort", OutputKind::Listing),
            ("ls -R src; cargo build", OutputKind::Messages),
            ("gh run view 1 --log-failed", OutputKind::Messages),
            ("if ./check; then make; fi", OutputKind::Messages),
        ] {
            assert_eq!(kind(script), Some(expected), "{script}");
        }
        assert_eq!(kind("cd x && echo y"), None);
    }
}
