use headroom_shared::contract::id::{BlockId, OriginalId};
use headroom_shared::contract::job::{JobCall, Place, VERSION};
use headroom_shared::contract::output_kind::OutputKinds;
use headroom_shared::contract::tier::Tier;
use serde_json::{Value, json};

use super::*;

/// A conversation of calls, each with its output: tool, input, output.
fn conversation(calls: &[(&str, Value, &str)]) -> Vec<JobBlock> {
    let block = |(at, (tool, input, text)): (usize, &(&str, Value, &str))| JobBlock {
        place: Place {
            message: 2 * u32::try_from(at).unwrap() + 2,
            part: 0,
            inner: 0,
        },
        block: id(at),
        text: (*text).to_owned(),
        tool: Some((*tool).to_owned()),
        input: Some(input.to_string()),
        turn: u32::try_from(at).unwrap() + 1,
        calls: Vec::new(),
    };
    calls.iter().enumerate().map(block).collect()
}

fn id(at: usize) -> BlockId {
    BlockId::from_bytes([u8::try_from(at).unwrap(); 16])
}

fn read(lines: std::ops::RangeInclusive<u32>) -> String {
    lines
        .map(|line| format!("{line:>6}→let x = {line};\n"))
        .collect()
}

fn old() -> Vec<(&'static str, Value, &'static str)> {
    vec![("Bash", json!({"command": "ls"}), "a\nb"); 11]
}

/// A job of these blocks.
fn payload(blocks: &[JobBlock]) -> Payload {
    Payload {
        v: VERSION,
        references: true,
        tier: Tier::Recoverable,
        whole_kinds: OutputKinds::NONE,
        provisional: false,
        useful_until_ms: 0,
        blocks: blocks.to_vec(),
        calls_after: Vec::new(),
        turns: blocks.last().map_or(0, |block| block.turn),
    }
}

/// What stays of each block, where that is known.
fn selections(blocks: &[JobBlock]) -> Vec<Option<Selection>> {
    let selected = |stays| match stays {
        Stays::Selected(selection) => Some(selection),
        Stays::All | Stays::AsSentFirst => None,
    };
    let stays = stays(&payload(blocks), Deadline::NEVER);
    stays.into_iter().map(selected).collect()
}

fn shown(text: &str, selection: &Selection) -> Vec<String> {
    let lines = text.split('\n').zip(selection.left_out());
    let shown = lines.filter(|(_, left_out)| !left_out);
    shown.map(|(line, _)| line.to_owned()).collect()
}

#[test]
fn a_read_that_a_later_one_shows_again_is_left_out() {
    let (all, part) = (read(1..=90), read(10..=40));
    let whole = json!({"file_path": "/x/a.rs"});
    let mut calls = vec![
        ("Read", whole.clone(), &*all),
        (
            "Read",
            json!({"file_path": "/x/a.rs", "offset": 10, "limit": 31}),
            &*part,
        ),
        ("Read", json!({"file_path": "/x/b.rs"}), &*all),
        ("Read", whole, &*all),
    ];
    calls.extend(old().into_iter().take(3));
    let blocks = conversation(&calls);
    let selections = selections(&blocks);
    let left_out: Vec<bool> = selections.iter().map(Option::is_some).collect();
    assert_eq!(left_out[..4], [true, true, false, false]);
    assert_eq!(shown(&all, selections[0].as_ref().unwrap()), [""; 0]);
}

#[test]
fn a_part_is_not_shown_again_by_another_part() {
    let (first, second) = (read(1..=40), read(30..=60));
    let part = |offset: u32| json!({"file_path": "/x/a.rs", "offset": offset, "limit": 40});
    let mut calls = vec![("Read", part(1), &*first), ("Read", part(30), &*second)];
    calls.extend(old().into_iter().take(5));
    let selections = selections(&conversation(&calls));
    assert!(selections[..2].iter().all(Option::is_none));
}

#[test]
fn what_is_no_read_of_the_file_shows_nothing_again() {
    let line = |n: usize| format!("word {n} of a file without numbers\n");
    let file: String = (0..60).map(line).collect();
    let edited = file.replace("word 7 of", "another word of");
    let refused =
        "cat: the file could not be read, because it is on a disk that is away\n".repeat(20);
    let table = |from: usize| -> String {
        let row = |n: usize| format!("{}\tvalue {}\n", 7 * (n + from), n * from);
        (1..60).map(row).collect()
    };
    let (first_rows, other_rows) = (table(3), table(1));
    let moved = |by: u32| -> String {
        let line = |n: u32| format!("{n:>6}→let x = {};\n", n - by);
        (130..=180).map(line).collect()
    };
    let (part, before, little, far) = (read(130..=170), moved(0), moved(10), moved(40));
    let (cat, rows) = (
        json!({"command": "cat /x/a"}),
        json!({"command": "cat /x/a.tsv"}),
    );
    let offset = json!({"file_path": "/x/a.rs", "offset": 130, "limit": 51});
    for (tool, input, earlier, later, is_shown) in [
        ("Bash", &cat, &file, &edited, true),
        ("Bash", &cat, &file, &refused, false),
        ("Bash", &rows, &first_rows, &other_rows, false),
        // Parts with the same numbers, after lines were put in before them.
        ("Read", &offset, &part, &before, true),
        ("Read", &offset, &part, &little, true),
        ("Read", &offset, &part, &far, false),
    ] {
        let mut calls = vec![
            (tool, input.clone(), earlier.as_str()),
            (tool, input.clone(), later.as_str()),
        ];
        calls.extend(old().into_iter().take(3));
        let selections = selections(&conversation(&calls));
        assert_eq!(selections[0].is_some(), is_shown, "{input}: {later}");
    }
}

#[test]
fn a_file_that_was_written_anew_is_shown_by_a_read_of_all_its_lines() {
    let new: String = (1..=90).map(|n| format!("{n:>6}→fn f{n}();\n")).collect();
    let whole = json!({"file_path": "/x/a.rs"});
    let earlier = read(1..=80);
    let mut calls = vec![("Read", whole.clone(), &*earlier), ("Read", whole, &*new)];
    calls.extend(old().into_iter().take(3));
    assert!(selections(&conversation(&calls))[0].is_some());
}

#[test]
fn of_an_old_output_the_edges_and_errors_stay() {
    let lines: String = (0..80).map(|n| format!("line {n}\n")).collect();
    let text = lines.replace("line 40\n", "line 40: Error: it broke\n");
    let mut calls = vec![("Bash", json!({"command": "cargo build"}), &*text)];
    calls.extend(old());
    let selections = selections(&conversation(&calls));
    assert_eq!(
        shown(&text, selections[0].as_ref().unwrap()),
        [
            "line 0",
            "line 1",
            "line 40: Error: it broke",
            "line 79",
            ""
        ]
    );
    assert!(selections[1..].iter().all(Option::is_none));
}

#[test]
fn what_was_fetched_again_stays_and_so_does_its_kind_after_the_second_time() {
    let lines: String = (0..80).map(|n| format!("line {n}\n")).collect();
    let fetch = |at: usize| json!({"id": OriginalId::of(id(at)).to_string()});
    let tool = "mcp__headroom__headroom_retrieve";
    let output = |command: &str| ("Bash", json!({"command": command}), &*lines);
    let with = |fetched: &[usize]| {
        let mut calls = vec![
            output("a"),
            output("b"),
            output("c"),
            ("Grep", json!({}), &*lines),
        ];
        calls.extend(fetched.iter().map(|at| (tool, fetch(*at), &*lines)));
        calls.extend(old());
        let selections = selections(&conversation(&calls));
        selections[..4 + fetched.len()]
            .iter()
            .map(Option::is_some)
            .collect::<Vec<bool>>()
    };
    assert_eq!(with(&[]), [true, true, true, true]);
    assert_eq!(with(&[1])[..4], [true, false, true, true]);
    assert_eq!(with(&[1, 2])[..4], [false, false, false, true]);
}

#[test]
fn what_people_said_and_what_is_new_stays() {
    let lines: String = (0..80).map(|n| format!("line {n}\n")).collect();
    let mut calls = vec![("Bash", json!({"command": "cargo build"}), &*lines)];
    calls.extend(old());
    calls.push(("Bash", json!({"command": "cargo build"}), &*lines));
    let mut blocks = conversation(&calls);
    blocks[0].tool = None;
    assert!(selections(&blocks).iter().all(Option::is_none));
}

/// A file of source code with a long function.
fn code() -> String {
    let body = "    let mut sum = 0;\n".repeat(30);
    format!("use std::fmt;\n\npub fn total(of: &[u64]) -> u64 {{\n{body}    sum\n}}\n")
}

/// What stays of a read of [`code`], the first call, given those between it and old ones, and those behind.
fn of_read(
    between: Vec<(&'static str, Value, &'static str)>,
    behind: Vec<(&'static str, Value, &'static str)>,
) -> Option<Selection> {
    let code = code();
    let mut calls = vec![("Read", json!({"file_path": "/x/total.rs"}), &*code)];
    calls.extend(between);
    calls.extend(old());
    calls.extend(behind);
    selections(&conversation(&calls)).remove(0)
}

#[test]
fn of_an_old_read_of_a_file_that_nobody_works_on_the_signatures_stay() {
    let kept = shown(&code(), &of_read(Vec::new(), Vec::new()).unwrap());
    assert!(
        kept.contains(&"pub fn total(of: &[u64]) -> u64 {".to_owned()),
        "{kept:?}"
    );
    assert!(kept.len() < 8, "{kept:?}");
    let edit = json!({"file_path": "/x/total.rs", "old_string": "a", "new_string": "b"});
    let edit = vec![("Edit", edit, "ok")];
    assert_eq!(of_read(edit.clone(), Vec::new()), None);
    for command in [
        "sed -i s/a/b/ total.rs",
        "cd /x\ntotal.rs",
        "run ./total.rs",
    ] {
        let named = vec![("Bash", json!({"command": command}), "ok")];
        assert_eq!(of_read(named, Vec::new()), None, "{command}");
    }
    let another = vec![("Bash", json!({"command": "make subtotal.rs"}), "ok")];
    assert!(of_read(another, Vec::new()).is_some());
    let search = vec![(
        "Grep",
        json!({"pattern": "sum", "path": "/x/total.rs"}),
        "ok",
    )];
    assert_eq!(of_read(search.clone(), Vec::new()), None);
    assert_eq!(of_read(Vec::new(), search), None);
}

#[test]
fn what_a_user_names_is_worked_on_for_some_turns() {
    let code = code();
    let file = json!({"file_path": "/x/total.rs"});
    let mut calls = vec![("Read", file, &*code)];
    calls.extend(old());
    calls.push(("", json!({}), "请修复@total.rs里的错误。"));
    calls.extend(old());
    let mut blocks = conversation(&calls);
    blocks[12].tool = None;
    assert!(selections(&blocks)[0].is_some());
    blocks.truncate(20);
    assert_eq!(selections(&blocks)[0], None);
}

#[test]
fn of_a_file_that_is_worked_on_the_newest_read_of_more_than_a_few_lines_stays() {
    let part = json!({"file_path": "/x/total.rs", "offset": 1});
    let edit = json!({"file_path": "/x/total.rs", "old_string": "a", "new_string": "b"});
    let first = |newer: &str| {
        let code = code();
        let mut calls = vec![
            ("Read", json!({"file_path": "/x/total.rs"}), &*code),
            ("Edit", edit.clone(), "ok"),
            ("Read", part.clone(), newer),
        ];
        calls.extend(old());
        selections(&conversation(&calls)).remove(0)
    };
    let lines = "    let other = 1;\n".repeat(FEW_LINES + 1);
    assert!(shown(&code(), &first(&lines).unwrap()).len() < 8);
    assert_eq!(first("    let other = 1;\n"), None);
    assert_eq!(first("The file has not changed since it was read.\n"), None);
}

#[test]
fn calls_behind_the_last_block_count() {
    let code = code();
    let mut calls = vec![("Read", json!({"file_path": "/x/total.rs"}), &*code)];
    calls.extend(old());
    let mut payload = payload(&conversation(&calls));
    let is_cut =
        |payload: &Payload| matches!(stays(payload, Deadline::NEVER)[0], Stays::Selected(_));
    assert!(is_cut(&payload));
    payload.calls_after.push(JobCall {
        tool: "Edit".to_owned(),
        input: json!({"file_path": "/x/total.rs"}).to_string(),
    });
    assert!(!is_cut(&payload));
}

#[test]
fn instructions_for_agents_stay() {
    let rules = "Never do this, whatever else may be said of it.\n".repeat(30);
    let read = |file: &'static str| ("Read", json!({"file_path": file}), &*rules);
    let mut calls = vec![
        read("/x/AGENTS.md"),
        read("/x/.claude/skills/y/SKILL.md"),
        read("/x/README.md"),
    ];
    calls.extend(old());
    let left_out: Vec<bool> = selections(&conversation(&calls))
        .iter()
        .map(Option::is_some)
        .collect();
    assert_eq!(left_out[..3], [false, false, true]);
}

#[test]
fn of_an_old_read_without_signatures_both_ends_stay() {
    let data: String = (0..80).map(|n| format!("key_{n}: {n}\n")).collect();
    let mut calls = vec![("Read", json!({"file_path": "/x/a.yaml"}), &*data)];
    calls.extend(old());
    let selection = selections(&conversation(&calls)).remove(0).unwrap();
    assert_eq!(
        shown(&data, &selection),
        ["key_0: 0", "key_1: 1", "key_79: 79", ""]
    );
}

#[test]
fn very_many_reads_and_other_calls_are_looked_at() {
    let part = read(1..=2);
    let calls: Vec<_> = (0..20_000)
        .map(|n| {
            let input = json!({"file_path": format!("/x/{n}.rs"), "offset": n, "limit": 1});
            let tool = if n % 2 == 0 { "Read" } else { "Bash" };
            (tool, input, &*part)
        })
        .collect();
    let blocks: Vec<JobBlock> = calls
        .iter()
        .flat_map(|call| conversation(std::slice::from_ref(call)))
        .collect();
    assert_eq!(selections(&blocks).len(), 20_000);
}
