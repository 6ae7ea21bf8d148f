//! Whether a tool call fetches a page of the web: not one that prints a file, or asks a server of this machine, for an agent may be working on
//! those and needs each byte.

use serde::Deserialize;
use serde_json::Value;

use super::super::call_kind::script_of_call;
use super::super::redirection::{is_redirected, pipelines, without_duplications};
use super::super::script::says_nothing;
use crate::compress::command::words_from_program;
use crate::compress::{Call, Source};

/// Programs that fetch pages.
const FETCH: [&str; 2] = ["curl", "wget"];

/// Programs that pass on what is piped into them, or its beginning.
const PASS_ON: [&str; 4] = ["cat", "gunzip", "head", "iconv"];

/// By these a script may print what it does not say.
const HIDE: [&str; 4] = ["`", "$(", "<<", "<("];

/// What the address of a file, or of a server on this machine, holds.
const LOCAL: [&str; 6] = [
    "file:",
    "localhost",
    "//0.0.0.0",
    "//127.",
    "//[::1]",
    "host.docker.internal",
];

/// The argument in which tools are given an address.
#[derive(Deserialize)]
struct Arguments {
    #[serde(alias = "uri")]
    url: Option<Value>,
}

/// Whether a block is what a call has fetched from another machine.
pub(super) fn is_fetched(block: Source<'_>) -> bool {
    let (Some(tool), Some(input)) = (block.tool, block.input) else {
        return false;
    };
    match script_of_call(tool, input) {
        Some(script) => script_fetches(&script),
        None => names_address(input) && Call::of(Some(tool), Some(input)).file_read().is_none(),
    }
}

/// Whether a tool call's input, JSON text, names an address on another machine.
fn names_address(input: &str) -> bool {
    let arguments = serde_json::from_str(input).ok();
    let address = arguments.and_then(|Arguments { url }| url);
    address.is_some_and(|url| url.as_str().is_some_and(|url| !is_local(url)))
}

/// Whether all that a script prints is what it fetches from other machines.
fn script_fetches(script: &str) -> bool {
    if is_local(script) || HIDE.iter().any(|words| script.contains(words)) {
        return false;
    }
    let mut is_fetched = false;
    for pipeline in pipelines(&without_duplications(script)) {
        let mut commands = pipeline.iter().map(|command| command.trim());
        let first = commands.next().unwrap_or_default();
        let fetches = FETCH.contains(&program(first)) && !is_redirected(first);
        let passes_on = commands.all(|it| PASS_ON.contains(&program(it)) && !is_redirected(it));
        let is_known = fetches && passes_on || says_nothing(first);
        if !is_known {
            return false;
        }
        is_fetched |= fetches;
    }
    is_fetched
}

/// The program that a command runs.
fn program(command: &str) -> &str {
    words_from_program(command).next().unwrap_or_default()
}

fn is_local(text: &str) -> bool {
    // Without a scheme an address may begin a word.
    let begins_local = |word: &str| word.starts_with("127.") || word.starts_with("0.0.0.0");
    LOCAL.iter().any(|local| text.contains(local)) || text.split_whitespace().any(begins_local)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_fetches_if_it_prints_nothing_else() {
        for script in [
            "curl -s https://example.com/",
            "curl -sL 'https://example.com/?a=1&b=2;c' | head -c 9000",
            "cd /tmp && wget -qO- https://example.com/ 2>&1",
            "sleep 2; HTTP_PROXY=x curl \"https://example.com/?a&b\" | cat",
            "curl https://example.com/a; curl https://example.com/b",
        ] {
            assert!(script_fetches(script), "{script}");
        }
        for script in [
            "cat page.html",
            "curl -o page.html https://example.com/ && cat page.html",
            "curl https://example.com/ > page.html",
            "curl https://example.com/ | tee page.html",
            "curl https://example.com/ | sed 's/a/b/'",
            "curl https://example.com/ || cat page.html",
            "curl $(cat address)",
            "curl http://localhost:3000/",
            "curl 127.0.0.1:3000",
            "curl file:///srv/page.html",
            "python3 render.py",
            "cd /tmp",
        ] {
            assert!(!script_fetches(script), "{script}");
        }
    }

    #[test]
    fn a_tool_fetches_what_its_address_names() {
        for (input, expected) in [
            (r#"{"url":"https://example.com/","prompt":"x"}"#, true),
            (r#"{"uri":"example.com"}"#, true),
            (r#"{"url":"http://localhost:3000/"}"#, false),
            (r#"{"url":"file:///srv/page.html"}"#, false),
            (r#"{"path":"/srv/page.html"}"#, false),
            (r#"{"url":["https://example.com/"]}"#, false),
            ("not JSON", false),
        ] {
            assert_eq!(names_address(input), expected, "{input}");
        }
    }
}
