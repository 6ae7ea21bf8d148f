//! What the scripted model does in a session: the same work with the tools of either client.

use std::path::Path;

use headroom_tests::provider::Step;
use headroom_tests::retrieval::TOOL;
use serde_json::{Value, json};

use crate::folder::Folder;

/// A tool call, and what is counted of its result.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    /// The row in which it is counted.
    pub(crate) kind: &'static str,
    /// The call.
    pub(crate) step: Step,
}

impl Planned {
    /// Name and input of the call, for a request that does not hold it.
    pub(crate) fn call(&self) -> (String, String) {
        match &self.step {
            Step::Call(name, input) => ((*name).to_owned(), input.to_string()),
            Step::Shell(command) => ("shell".to_owned(), command.clone()),
            Step::Retrieve | Step::Search(_) => (TOOL.to_owned(), String::new()),
        }
    }
}

/// A file read again after an edit.
pub(crate) const READ_AGAIN: &str = "read again after an edit";
/// JSON that a shell prints.
pub(crate) const JSON: &str = "shell: JSON";

fn call(kind: &'static str, tool: &'static str, input: Value) -> Planned {
    Planned {
        kind,
        step: Step::Call(tool, input),
    }
}

fn shell(kind: &'static str, command: impl Into<String>) -> Planned {
    Planned {
        kind,
        step: Step::Shell(command.into()),
    }
}

/// The session of a client that has tools for files.
pub(crate) fn with_file_tools(folder: &Folder) -> Vec<Planned> {
    let path = |file: &str| folder.path(file).display().to_string();
    let source = |at: usize| folder.sources[at].as_str();
    let read = |file: &str| call("Read", "Read", json!({"file_path": path(file)}));
    let lines = |file: &str, offset: usize, limit: usize| {
        let input = json!({"file_path": path(file), "offset": offset, "limit": limit});
        call("Read, some lines", "Read", input)
    };
    let again = |file: &str| call(READ_AGAIN, "Read", json!({"file_path": path(file)}));
    let edit = |file: &str| {
        let line = folder.unique_line(file);
        let input = json!({"file_path": path(file), "old_string": line, "new_string": format!("{line} // checked")});
        call("Edit", "Edit", input)
    };
    let grep = |pattern: &str, context: usize| {
        let mut input = json!({"pattern": pattern, "path": path("proxy"), "output_mode": "content", "-n": true});
        if context > 0 {
            input["-C"] = json!(context);
        }
        call("Grep", "Grep", input)
    };
    let mut steps = vec![
        call("Glob", "Glob", json!({"pattern": "**/*.rs"})),
        read(source(0)),
        read(source(1)),
        grep("pub fn ", 0),
        read(source(2)),
        edit(source(0)),
        again(source(0)),
        grep("Result<", 2),
        lines(source(3), 1, 150),
        lines(source(3), 120, 150),
        read(source(4)),
        edit(source(1)),
        again(source(1)),
        read(source(5)),
        lines("tsconfig.json", 1, 40),
    ];
    steps.extend(printed(folder));
    steps
}

/// The session of a client that has a shell alone.
pub(crate) fn with_shell(folder: &Folder) -> Vec<Planned> {
    let source = |at: usize| folder.sources[at].as_str();
    let cat = |file: &str| shell("shell: source", format!("cat {file}"));
    let lines = |file: &str, from: usize, to: usize| {
        shell("shell: some lines", format!("sed -n '{from},{to}p' {file}"))
    };
    let edit = |file: &str| shell("shell: edit", format!("sed -i '80s|$| // checked|' {file}"));
    let again = |file: &str| shell(READ_AGAIN, format!("cat {file}"));
    let mut steps = vec![
        shell("shell: listing", "find . -name '*.rs' | sort"),
        cat(source(0)),
        cat(source(1)),
        shell("shell: search", "grep -rn 'pub fn ' proxy"),
        cat(source(2)),
        edit(source(0)),
        again(source(0)),
        shell(
            "shell: search",
            "grep -rn -C 2 'Result<' proxy | head -n 300",
        ),
        lines(source(3), 1, 150),
        lines(source(3), 120, 270),
        cat(source(4)),
        edit(source(1)),
        again(source(1)),
        shell("shell: numbered", format!("nl -ba {}", source(5))),
        shell("shell: tsconfig", "cat tsconfig.json"),
    ];
    steps.extend(printed(folder));
    steps
}

/// Ten commands that both run.
fn printed(folder: &Folder) -> Vec<Planned> {
    let source = |at: usize| folder.sources[at].as_str();
    let packages = |lines: usize| {
        if Path::new("/usr/bin/dpkg").exists() {
            format!("dpkg -l | head -n {lines}")
        } else {
            format!("cat packages.txt | head -n {lines}")
        }
    };
    let services = if Path::new("/etc/services").exists() {
        "cat /etc/services"
    } else {
        "cat services.txt"
    };
    vec![
        shell(JSON, "cat users.json"),
        shell("shell: packages", packages(600)),
        shell("shell: packages", packages(180)),
        shell("shell: services", services),
        shell(JSON, "cat events.json"),
        shell("shell: source", format!("cat {}", source(6))),
        shell("shell: listing", "ls -lR proxy shared"),
        shell("shell: failure", "ls -l missing shared/src && cat missing"),
        shell("shell: search", "grep -rn 'use ' shared | head -n 200"),
        shell("shell: source", format!("head -n 120 {}", source(7))),
    ]
}

/// What a resumed session does more.
pub(crate) fn resumed(folder: &Folder) -> Vec<Planned> {
    vec![
        shell("shell: source", format!("cat {}", folder.sources[8])),
        shell("shell: source", format!("cat {}", folder.sources[9])),
    ]
}
