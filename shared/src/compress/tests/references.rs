//! Tests of references to lines of earlier blocks and of texts in tool calls.

use super::source;
use crate::compress::{Earlier, Prepared, Source, compress, expand};

const MAIN: &str = r#"{"file_path":"/srv/app/main.rs"}"#;
const OTHER: &str = r#"{"file_path":"/srv/app/other.rs"}"#;

fn read<'a>(input: &'a str, text: &'a str) -> Source<'a> {
    Source {
        text,
        tool: Some("Read"),
        input: Some(input),
    }
}

fn content(lines: usize) -> String {
    let line = |n| format!("    let value_{n} = compute({n}); // keeps it\n");
    (1..=lines).map(line).collect()
}

fn numbered_file(lines: usize) -> String {
    let content = content(lines);
    let lines = content.split_inclusive('\n').enumerate();
    lines
        .map(|(n, line)| format!("{:6}\u{2192}{line}", n + 1))
        .collect()
}

/// The form, which expands to its block.
fn form(block: Source<'_>, earlier: &Earlier) -> String {
    let form = compress(block, earlier).unwrap();
    assert_eq!(expand(&form, earlier).unwrap(), block.text, "{form}");
    form
}

#[test]
fn lines_read_before_are_referred_to_by_file_and_number() {
    let file = numbered_file(400);
    let mut earlier = Earlier::default();
    earlier.push(source("something else"));
    earlier.push(read(MAIN, &file));
    let lines: Vec<&str> = file.lines().collect();
    let again = format!(
        "{}\n   251→changed\n{}",
        lines[99..250].join("\n"),
        lines[251..].join("\n")
    );
    let again = read(MAIN, &again);
    let form = form(again, &earlier);
    assert!(
        form.contains("\n[lines 100-250 of Read /srv/app/main.rs: \"let value_100 = compute(…\"]\nchanged\n[lines 252-400 of "),
        "{form}"
    );
    assert!(expand(&form, &Earlier::default()).is_err());
}

#[test]
fn what_is_compressed_after_some_blocks_may_be_added_to_others() {
    let file = content(400);
    let (mut before, mut others) = (Earlier::default(), Earlier::default());
    before.push(read(MAIN, &file));
    others.push(read(OTHER, "something else"));
    let more = format!("{file}some more lines\n");
    let prepared = Prepared::of(read(MAIN, &more));
    assert!(prepared.compress(&before).is_ok());
    assert!(prepared.compress(&others).is_err());
    others.push_prepared(prepared);
    // There all of its lines are shown.
    assert!(form(read(MAIN, &file), &others).contains("[lines 1-400 of Read "));
}

#[test]
fn a_part_that_is_read_again_stays_where_it_is() {
    let file = numbered_file(400);
    let mut earlier = Earlier::default();
    earlier.push(read(MAIN, &file));
    let part: Vec<&str> = file.lines().skip(100).take(200).collect();
    let short = part[..40].join("\n");
    assert!(!form(read(MAIN, &short), &earlier).contains("[lines "));
    let part = part.join("\n");
    let asked = r#"{"file_path":"/srv/app/main.rs","offset":101,"limit":200}"#;
    assert!(!form(read(asked, &part), &earlier).contains("[lines "));
    assert!(form(read(MAIN, &part), &earlier).contains("[lines 101-300 of "));
}

#[test]
fn a_read_refers_to_no_other_file() {
    let file = numbered_file(400);
    let mut earlier = Earlier::default();
    earlier.push(read(OTHER, &file));
    let longer = format!("{file}   401→the end\n");
    assert!(!form(read(MAIN, &longer), &earlier).contains("[lines "));
    let cat = Source {
        text: &longer,
        tool: Some("Bash"),
        input: Some(r#"{"command":"cd /srv && cat -n app/other.rs"}"#),
    };
    let form = form(cat, &earlier);
    assert!(
        form.contains("[lines 1-400 of Read /srv/app/other.rs: "),
        "{form}"
    );
}

#[test]
fn a_reference_leads_to_where_the_lines_stand_word_for_word() {
    let file = numbered_file(400);
    let lines: Vec<&str> = file.lines().collect();
    let (first, second) = (lines[..250].join("\n"), lines[130..].join("\n"));
    let mut earlier = Earlier::default();
    earlier.push(read(MAIN, &first));
    earlier.push(read(MAIN, &second));
    let again = lines[20..390].join("\n");
    let form = form(read(MAIN, &again), &earlier);
    assert!(
        form.contains("[lines 21-250 of 1st Read /srv/app/main.rs: "),
        "{form}"
    );
    assert!(
        form.contains("[lines 251-390 of 2nd Read /srv/app/main.rs: "),
        "{form}"
    );
}

#[test]
fn what_the_model_wrote_itself_is_referred_to() {
    let written = content(30);
    let input = serde_json::json!({"file_path": "/srv/app/main.rs", "content": written});
    let mut earlier = Earlier::default();
    assert!(earlier.push_call("Write", &input.to_string()));
    let numbered = numbered_file(30);
    let form_of_read = form(read(MAIN, numbered.trim_end()), &earlier);
    assert!(
        form_of_read.contains(
            "[lines 1-30 of content of Write /srv/app/main.rs: \"let value_1 = compute(1)…\"]"
        ),
        "{form_of_read}"
    );
    let printed = Source {
        text: &written,
        tool: Some("Bash"),
        input: Some(r#"{"command":"cat /srv/app/main.rs"}"#),
    };
    let form_of_print = form(printed, &earlier);
    assert!(
        form_of_print.starts_with(
            "[headroom: the same text, word for word, as content of Write /srv/app/main.rs]"
        ),
        "{form_of_print}"
    );
    assert!(earlier.push_call("Write", "not JSON"));
}

#[test]
fn the_note_behind_every_read_is_said_once() {
    let note = "\n<note>\nWhat the client says of every file, at some length, and in some more words than would be needed for that.\nAnd that it means it, whatever else it has said, and whatever it will say of the next file, and of the one after that, to the end of the session.\n</note>\n";
    let part = |from: usize| {
        let lines: String = numbered_file(from + 40)
            .split_inclusive('\n')
            .skip(from)
            .collect();
        format!("{lines}{note}")
    };
    let (first, second) = (part(0), part(30));
    let mut earlier = Earlier::default();
    earlier.push(read(MAIN, &first));
    let form = form(read(MAIN, &second), &earlier);
    assert!(
        form.contains("[unnumbered]\n[last 6 lines of Read /srv/app/main.rs: \"<note>\"]"),
        "{form}"
    );
}

#[test]
fn lines_that_report_a_failure_stay_where_they_are() {
    let run = |n: usize| {
        let line = |n: u32| {
            format!(
                "{} steps of {:x} in {:x}\n",
                n * 7919 % 1000,
                n * 104_729,
                n * n * 31
            )
        };
        let log: String = (1..30).map(line).collect();
        format!(
            "{log}Traceback (most recent call last):\n  File \"a.py\", line 3, in run\n    return compute(values)\nValueError: no values\n{log}in {n} s\n"
        )
    };
    let mut earlier = Earlier::default();
    earlier.push(source(&run(1)));
    let form = form(source(&run(2)), &earlier);
    assert!(form.matches("\n[lines ").count() == 2, "{form}");
    for line in [
        "Traceback",
        "  File",
        "    return compute(values)\n",
        "ValueError",
    ] {
        assert!(form.contains(line), "{form}");
    }
}

#[test]
fn few_lines_of_search_results_stay_where_they_are() {
    let result =
        |n: usize| format!("src/some/folder/file_{n}.rs:{n}:the text that was found there\n");
    let found: String = (1..60).map(result).collect();
    let shown: String = (20..24).map(result).collect();
    let mut earlier = Earlier::default();
    earlier.push(source(&format!(
        "They are these:\n{shown}and no more, whatever else is found"
    )));
    let form = form(source(&found), &earlier);
    assert!(!form.contains("[lines "), "{form}");
}

#[test]
fn lines_that_a_table_or_group_holds_are_not_referred_to() {
    let json =
        "{\n  \"some key of it\": \"some value of it\",\n  \"another key\": 2\n}\n".repeat(9);
    let found: String = (1..60)
        .map(|n| format!("src/some/folder/file.rs:{n}:the text of it\n"))
        .collect();
    let log: String = (1..60)
        .map(|n| {
            format!("2024-01-01 10:00:00,{n:03} INFO the text of it\n  took {n} ms in all of it\n")
        })
        .collect();
    for text in [json, found, log] {
        let mut earlier = Earlier::default();
        earlier.push(source(&text));
        let form = compress(source(&format!("first\n{text}last")), &earlier);
        assert!(!form.is_ok_and(|form| form.contains("[lines ")));
        assert!(
            compress(source(&text), &earlier)
                .unwrap()
                .contains(" as Bash ./report]")
        );
    }
}

#[test]
fn what_a_patch_put_into_a_file_is_referred_to_when_it_is_read() {
    let file = content(40);
    let added: String = file
        .split_inclusive('\n')
        .map(|line| format!("+{line}"))
        .collect();
    let patch = format!("*** Begin Patch\n*** Add File: main.rs\n{added}*** End Patch");
    let mut earlier = Earlier::default();
    earlier.push_call("apply_patch", &serde_json::json!(patch).to_string());
    let input = r#"{"cmd":"sed -n '1,80p' /srv/app/main.rs"}"#;
    let block = |text| Source {
        text,
        tool: Some("exec_command"),
        input: Some(input),
    };
    let read = format!("// first\n{file}// last\n");
    let form = form(block(&read), &earlier);
    assert!(
        form.contains("]\n// first\n[lines 1-40 of patch of main.rs: \"let value_1 = compute(1)…\"]\n// last\n"),
        "{form}"
    );
    let other = r#"{"cmd":"cat /srv/app/other.rs"}"#;
    let other = Source {
        input: Some(other),
        ..block(&read)
    };
    assert!(compress(other, &earlier).is_err());
}
