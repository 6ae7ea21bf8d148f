use super::*;
use crate::compress::Deadline;
use crate::contract::id::BlockId;
use crate::contract::retrieval;

fn original() -> OriginalId {
    OriginalId::of(BlockId::from_bytes([0xab; 16]))
}

fn text() -> String {
    let line = |n: usize| format!("line {n} says what it says, in so many words\n");
    (1..=9).map(line).collect()
}

fn shown(lines: &[usize]) -> Selection {
    Selection::new((1..=10).map(|n| lines.contains(&n)).collect()).unwrap()
}

#[test]
fn a_header_begins_with_the_call_of_the_retrieval_tool() {
    assert_eq!(OPENING, format!("[{}(\"", retrieval::TOOL));
}

#[test]
fn marks_stand_for_the_lines_that_are_left_out() {
    let shortened = show(&text(), &shown(&[1, 2, 6, 10]), original());
    assert_eq!(
        shortened,
        "[headroom_retrieve(\"abababababababab\") returns all 10 lines of this; \"[…3-5]\" stands for lines 3 to 5]\n\
         line 1 says what it says, in so many words\n\
         line 2 says what it says, in so many words\n\
         […3-5]\n\
         line 6 says what it says, in so many words\n\
         […7-9]\n"
    );
    assert!(is_shortened_of(&shortened, &text(), original()));
    assert_eq!(original_of(&shortened), Some(original()));
    let within = format!("[headroom: what a compressor says]\n{shortened}");
    assert_eq!(original_of(&within), Some(original()));
    assert_eq!(original_of(&text()), None);
}

#[test]
fn what_the_original_does_not_say_is_found() {
    let text = text();
    let shortened = show(&text, &shown(&[1, 2, 6, 10]), original());
    for (from, to) in [
        ("line 6", "line 7"),
        ("\n[…3-5]", "\n[…3-6]"),
        ("\n[…3-5]", "\n[…4-5]"),
        ("[…7-9]", "[…7-19]"),
        ("[…7-9]\n", ""),
        ("abab", "acab"),
        ("says what", "what says"),
    ] {
        let changed = shortened.replacen(from, to, 1);
        assert_ne!(changed, shortened);
        assert!(!is_shortened_of(&changed, &text, original()), "{from} {to}");
    }
    let fewer_words = shortened.replace(" says what it says, in", "");
    assert!(is_shortened_of(&fewer_words, &text, original()));
}

#[test]
fn a_text_of_which_nothing_stays_says_what_it_was() {
    let selection = Selection::none_of(&text(), "a later read shows them".to_owned());
    let shortened = show(&text(), &selection, original());
    assert!(!shortened.contains('\n'));
    assert!(
        shortened.ends_with("a later read shows them]"),
        "{shortened}"
    );
    assert!(is_shortened_of(&shortened, &text(), original()));
    assert_eq!(original_of(&shortened), Some(original()));
}

#[test]
fn small_gaps_are_not_worth_their_marks() {
    let text = "a\nb\nc\nd\n".repeat(2) + &"long ".repeat(20);
    let gap = |gap: std::ops::Range<usize>| {
        let lines = (0..9).map(|n| !gap.contains(&n)).collect();
        Selection::new(lines).unwrap().without_small_gaps(&text)
    };
    assert_eq!(gap(2..8), None);
    assert!(gap(2..9).is_some());
}

#[test]
fn what_a_retrieval_returned_is_never_shortened() {
    let block = |tool, text| Source {
        text,
        tool: Some(tool),
        input: None,
    };
    assert!(may_shorten(block("Bash", "text")));
    assert!(!may_shorten(block(
        "mcp__headroom__headroom_retrieve",
        "text"
    )));
    assert!(!may_shorten(block("Bash", "as it stood there:\n[…3-5]\n")));
    let shortened = show(&text(), &shown(&[1]), original());
    assert!(!may_shorten(block("Bash", &shortened)));
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    /// A call: its tool and its input.
    fn call() -> impl Strategy<Value = (&'static str, &'static str)> {
        prop::sample::select(vec![
            ("Bash", r#"{"command":"cargo test wingman"}"#),
            ("Bash", r#"{"command":"grep -rn wingman src"}"#),
            ("Bash", r#"{"command":"find . -name '*.rs'"}"#),
            ("Grep", r#"{"pattern":"wingman"}"#),
            ("Glob", r#"{"pattern":"**/*.rs"}"#),
            ("Task", r#"{"prompt":"find the wingman"}"#),
            ("Read", r#"{"file_path":"a.rs"}"#),
            ("Read", r#"{"file_path":"a.py"}"#),
            ("Bash", r#"{"command":"curl -s https://example.com/"}"#),
            ("WebFetch", r#"{"url":"https://example.com/"}"#),
            ("other", "not JSON"),
        ])
    }

    fn line() -> impl Strategy<Value = String> {
        prop_oneof![
            4 => "[ \t]{0,6}[a-zé:(){}/0-9|,]{0,60}",
            2 => "src/[a-c]{1,2}\\.rs[:-][0-9]{1,3}[:-].{0,40}",
            2 => "[ ]{0,4}(ERROR|Failed|panicked at|warning|goroutine |fn f\\(\\) \\{|\\}|def f\\(a\\):|```|# A) [a-z ]{0,40}",
            1 => "[ ]{0,5}[0-9]{1,4}(→|\t)[a-z(){} ]{0,50}",
            1 => "test [a-z_]{1,30} \\.\\.\\. ok",
            1 => ".{0,80}",
        ]
    }

    /// A piece of a page.
    fn html() -> impl Strategy<Value = String> {
        prop_oneof![
            2 => "</?(p|div|b|i|a|ul|ol|li|table|tr|td|pre|code|h[1-6]|svg|path|script|style|noscript|br|hr|img|title|template)( [a-z]{1,4})?/?>",
            2 => "<(a|img) (href|src|alt)=[\"']?[a-z#:/&;]{0,9}[\"']?>",
            2 => "[a-zé \n&;]{0,40}",
            1 => "&(amp|lt|mdash|#x?[0-9a-f]{1,6});?",
            1 => ".{0,20}",
            1 => "<!--.{0,9}(-->)?",
        ]
    }

    proptest! {
        #[test]
        fn nothing_is_said_but_what_the_original_says(
            (tool, input) in call(),
            lines in prop::collection::vec(line(), 0..150),
        ) {
            let text = lines.join("\n");
            let source = Source { text: &text, tool: Some(tool), input: Some(input) };
            for selection in [select(source), signatures(source, Deadline::NEVER)].into_iter().flatten() {
                let shortened = show(&text, &selection, original());
                prop_assert!(is_shortened_of(&shortened, &text, original()), "{shortened}");
            }
        }

        #[test]
        fn the_text_of_a_page_is_found_to_be_that(
            parts in prop::collection::vec(html(), 0..150),
            wrapper in prop::sample::select(vec!["", "Exit code: 0\nWall time: 1 seconds\nOutput:\n", "\n "]),
            change in 0usize..400,
        ) {
            let text = format!("{wrapper}<!DOCTYPE html>{}", parts.concat());
            let Some(page) = text_of_page(&text) else {
                return Ok(());
            };
            let shortened = show_page(&page, &text, original());
            prop_assert!(is_shortened_of(&shortened, &text, original()));
            let change = change % shortened.len();
            if shortened.is_char_boundary(change) {
                let changed = [&shortened[..change], "x", &shortened[change..]].concat();
                prop_assert!(!is_shortened_of(&changed, &text, original()), "{changed}");
            }
        }

        #[test]
        fn what_tells_of_trouble_stays_of_a_commands_output(
            lines in prop::collection::vec(line(), 30..150),
        ) {
            let text = lines.join("\n");
            let source = Source {
                text: &text,
                tool: Some("Bash"),
                input: Some(r#"{"command":"cargo test"}"#),
            };
            let Some(selection) = select(source) else {
                return Ok(());
            };
            for (line, is_left_out) in text.split('\n').zip(selection.left_out()) {
                let line = line.to_lowercase();
                let tells = ["error", "fail", "panic", "warning"];
                prop_assert!(!is_left_out || !tells.iter().any(|word| line.contains(word)), "{line}");
            }
        }
    }
}
