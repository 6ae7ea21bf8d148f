//! Tests of references to lines of earlier blocks.

use super::source;
use crate::compress::{Earlier, compress, expand};

fn numbered_file(lines: usize) -> String {
    let line = |n| format!("{n:6}\u{2192}    let value_{n} = compute({n}); // keeps it\n");
    (1..=lines).map(line).collect()
}

#[test]
fn lines_read_before_are_referred_to_by_file_and_number() {
    let file = numbered_file(200);
    let mut earlier = Earlier::default();
    earlier.push(source("something else"));
    earlier.push(source(&file));
    let lines: Vec<&str> = file.lines().collect();
    let again = format!(
        "{}\n   151→changed\n{}",
        lines[99..150].join("\n"),
        lines[151..].join("\n")
    );
    let form = compress(source(&again), &earlier).unwrap();
    assert!(
        form.contains(
            "\n[lines 100-150 of #2 again; Read /srv/app/main.rs; from \"let value_100 = "
        ),
        "{form}"
    );
    assert!(
        form.contains("]\nchanged\n[lines 152-200 of #2 again;"),
        "{form}"
    );
    assert_eq!(expand(&form, &earlier).unwrap(), again);
    assert!(expand(&form, &Earlier::default()).is_err());
}

#[test]
fn a_reference_leads_to_where_the_lines_stand_word_for_word() {
    let file = numbered_file(100);
    let lines: Vec<&str> = file.lines().collect();
    let (first, second) = (lines[..60].join("\n"), lines[30..].join("\n"));
    let mut earlier = Earlier::default();
    earlier.push(source(&first));
    earlier.push(source(&second));
    let form = compress(source(&lines[20..90].join("\n")), &earlier).unwrap();
    assert!(form.contains("[lines 21-60 of #1 "), "{form}");
    assert!(form.contains("[lines 61-90 of #2 "), "{form}");
}

#[test]
fn only_numbered_lines_of_a_numbered_file_are_referred_to() {
    let note =
        "\n<note>\nWhat the client says of every file, at some length.\nAnd that twice.\n</note>\n"
            .repeat(3);
    let read = |from: usize| {
        let lines: String = numbered_file(from + 40)
            .split_inclusive('\n')
            .skip(from)
            .collect();
        format!("{lines}{note}")
    };
    let (first, second) = (read(0), read(30));
    let mut earlier = Earlier::default();
    earlier.push(source(&first));
    let form = compress(source(&second), &earlier).unwrap();
    assert!(form.contains("\n[lines 31-40 of #1 again;"), "{form}");
    assert!(form.ends_with(&note), "{form}");
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
        assert!(!form.is_ok_and(|form| form.contains(" again; ")));
        assert!(
            compress(source(&text), &earlier)
                .unwrap()
                .contains("block #1")
        );
    }
}
