//! Whether a shell command may print a file, by its words.

use serde::Deserialize;
use serde_json::Value;

/// Commands that build, test, check or list, and that print what they have to say and no file: a program, or a program and its first
/// argument. Whatever runs scripts of the user's own (`npm run`, `make`) is not among them: they may print a file.
const PRINT_NO_FILE: [&str; 38] = [
    "bun install",
    "bun test",
    "cargo bench",
    "cargo build",
    "cargo check",
    "cargo clippy",
    "cargo nextest",
    "cargo test",
    "cd",
    "composer install",
    "ctest",
    "dotnet build",
    "dotnet test",
    "export",
    "gh run",
    "go build",
    "go test",
    "go vet",
    "gradle build",
    "gradle test",
    "jest",
    "ls",
    "mocha",
    "mvn package",
    "mvn test",
    "mypy",
    "npm ci",
    "npm install",
    "npm test",
    "pnpm install",
    "pnpm test",
    "pytest",
    "swift build",
    "swift test",
    "tox",
    "tsc",
    "vitest",
    "yarn install",
];

/// Programs that print the file that is their last argument.
const PRINT_A_FILE: [&str; 9] = [
    "bat", "cat", "head", "less", "more", "nl", "sed", "tail", "type",
];

/// Programs that run the command that follows them.
pub(super) const RUN_ANOTHER: [&str; 6] = ["bunx", "env", "nice", "npx", "sudo", "time"];

/// Programs that pass on a part of what is piped into them.
const FILTERS: [&str; 6] = ["cat", "grep", "head", "sort", "tail", "uniq"];

/// The arguments in which agents give a command.
#[derive(Deserialize)]
struct Arguments {
    #[serde(alias = "cmd")]
    command: Option<Value>,
}

/// Whether a tool call's input, JSON text, is a command that prints no file: it is made of nothing but commands that are known to
/// print none.
pub(super) fn prints_no_file(input: &str) -> bool {
    let command = serde_json::from_str(input).ok();
    let command = command.and_then(|Arguments { command }| command);
    match &command {
        Some(Value::String(script)) => script_prints_no_file(script),
        // `["bash", "-lc", "…"]`
        Some(Value::Array(words)) => words
            .last()
            .and_then(Value::as_str)
            .is_some_and(script_prints_no_file),
        _ => false,
    }
}

fn script_prints_no_file(script: &str) -> bool {
    let script = script.replace("2>&1", "");
    // Substitutions, here documents and redirections are beyond this look.
    if script.contains(['`', '$', '<', '>', '(', '{', '\n']) {
        return false;
    }
    let pipelines = script.split(['&', ';']).flat_map(|part| part.split("||"));
    let mut pipelines = pipelines
        .map(str::trim)
        .filter(|pipeline| !pipeline.is_empty())
        .peekable();
    pipelines.peek().is_some() && pipelines.all(pipeline_prints_no_file)
}

fn pipeline_prints_no_file(pipeline: &str) -> bool {
    let mut commands = pipeline.split('|');
    commands.next().is_some_and(command_prints_no_file) && commands.all(filters)
}

fn command_prints_no_file(command: &str) -> bool {
    let mut words = words_from_program(command);
    let program = words.next().unwrap_or_default();
    let with_argument = format!("{program} {}", words.next().unwrap_or_default());
    PRINT_NO_FILE.contains(&program) || PRINT_NO_FILE.contains(&&*with_argument)
}

/// The words of a command from its program on, without folders.
pub(super) fn words_from_program(command: &str) -> impl Iterator<Item = &str> {
    let words = command.split_whitespace().map(without_folder);
    words.skip_while(|word| is_assignment(word) || RUN_ANOTHER.contains(word))
}

/// A script without the change of folder that it begins with.
pub(super) fn without_cd(script: &str) -> &str {
    split_cd(script).1
}

/// The folder to which a script begins with a change, as the script writes it, and the script without that.
pub(super) fn split_cd(script: &str) -> (Option<&str>, &str) {
    let script = script.trim_start();
    let behind_cd = script
        .strip_prefix("cd ")
        .and_then(|rest| rest.split_once("&&"));
    match behind_cd {
        Some((folder, rest)) => (Some(folder.trim()), rest.trim_start()),
        None => (None, script),
    }
}

/// The file that a script prints, all of it or a part, and nothing else.
pub(super) fn printed_file(script: &str) -> Option<&str> {
    let command = without_cd(script).trim();
    let mut words = command.split_whitespace();
    let program = without_folder(words.next()?);
    let file = words.next_back()?.trim_matches(['"', '\'']);
    let is_plain = !command.contains(['|', '&', ';', '<', '>', '`', '$', '*', '\n']);
    let is_file = !file.starts_with('-') && file.parse::<u64>().is_err();
    let writes = program == "sed" && words.any(is_in_place);
    (is_plain && is_file && !writes && PRINT_A_FILE.contains(&program)).then_some(file)
}

/// Whether a script that [prints a file](printed_file) surely prints no other one too.
pub(super) fn prints_one_file(script: &str) -> bool {
    let mut words = without_cd(script).split_whitespace();
    let program = words.next().map(without_folder);
    // A name with a space in quotes is several words here.
    let is_whole = words
        .next_back()
        .is_some_and(|file| file.matches(['"', '\'']).count() % 2 == 0);
    let is_option = |word: &&str| word.starts_with('-') || word.parse::<u64>().is_ok();
    let others = words.filter(|word| !is_option(word)).count();
    is_whole && others <= usize::from(program == Some("sed"))
}

/// Whether an option of `sed` has it write the file and print nothing.
fn is_in_place(option: &str) -> bool {
    option.starts_with("-i") || option.starts_with("--in-place")
}

/// Whether a script prints a part of a file, as far as its program tells.
pub(super) fn prints_part(script: &str) -> bool {
    let program = without_cd(script).split_whitespace().next();
    program.is_some_and(|program| ["head", "sed", "tail"].contains(&without_folder(program)))
}

/// Whether a command passes on what is piped into it, and reads no file of its own.
fn filters(command: &str) -> bool {
    let mut words = command.split_whitespace().map(without_folder);
    let program = words.next().unwrap_or_default();
    let is_option = |word: &&str| word.starts_with('-') || word.parse::<u64>().is_ok();
    let arguments = words.filter(|word| !is_option(word)).count();
    FILTERS.contains(&program) && arguments <= usize::from(program == "grep")
}

pub(super) fn without_folder(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

/// Whether a word sets a variable: `CI=1`.
pub(super) fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        name.bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_builds_and_listings_print_no_file() {
        for command in [
            "cargo test --workspace 2>&1",
            "cd app && CI=1 pnpm test 2>&1 | tail -50",
            "gh run view 21458923023 --log-failed 2>&1 | head -n 200",
            "./node_modules/.bin/vitest run | grep -v skipped",
            "ls --color=always src; npm ci || npx tsc -p .",
        ] {
            assert!(script_prints_no_file(command), "{command}");
        }
        assert!(prints_no_file(r#"{"command":"cargo build"}"#));
        assert!(prints_no_file(r#"{"cmd":["bash","-lc","go test ./..."]}"#));
    }

    #[test]
    fn the_file_that_a_command_prints_is_its_last_word() {
        assert_eq!(printed_file("cat a.rs"), Some("a.rs"));
        assert_eq!(printed_file("cd x && nl -ba 'b/a.rs'"), Some("b/a.rs"));
        assert_eq!(printed_file("sed -n 1,200p a.rs"), Some("a.rs"));
        for other in [
            "cat",
            "cat a | head",
            "head -50",
            "tail -n 5",
            "ls a",
            "cat a > b",
            "sed -i s/a/b/ a.rs",
            "sed -e s/a/b/ --in-place=.bak a.rs",
            "",
        ] {
            assert_eq!(printed_file(other), None, "{other}");
        }
    }

    #[test]
    fn a_command_that_may_print_several_files_is_known() {
        for one in [
            "cat a.rs",
            "cd x && nl -ba 'b/a.rs'",
            "sed -n '1,200p' a.rs",
            "head -n 5 a.rs",
            "tail -n +5 a.rs",
        ] {
            assert!(prints_one_file(one), "{one}");
        }
        for several in [
            "cat a.rs b.rs",
            "cat 'a b.rs'",
            "sed -n 1,200p a.rs b.rs",
            "head -n 5 a.rs b.rs",
        ] {
            assert!(!prints_one_file(several), "{several}");
        }
    }

    #[test]
    fn what_may_print_a_file_is_not_trusted() {
        for command in [
            "cat a.txt",
            "cargo test; cat log",
            "cargo test | cat log -",
            "cargo test | grep error log",
            "make",
            "npm run show",
            "npm exec -- cat a",
            "pnpm exec cat a",
            "yarn cat a",
            "bun run cat a",
            "cmake -E cat a",
            "cargo run -- a",
            "cargo expand",
            "eslint --print-config a",
            "git show HEAD:a",
            "gh api repos/a/b/contents/c",
            "python -c 'print(open(1).read())'",
            "ls $(cat a)",
            "cargo test < a",
            "cargo test && ./print.sh",
            "ls | xargs cat",
            "bash -c 'cat a'",
            "",
            ";",
        ] {
            assert!(!script_prints_no_file(command), "{command}");
        }
        for input in ["", "{}", r#"{"command":1}"#, r#"{"file_path":"a"}"#, "[]"] {
            assert!(!prints_no_file(input), "{input}");
        }
    }
}
