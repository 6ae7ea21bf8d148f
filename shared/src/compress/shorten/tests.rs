use super::*;
use crate::contract::id::BlockId;

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
    let selection = Selection::none_of(10, "a later read shows them".to_owned());
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
