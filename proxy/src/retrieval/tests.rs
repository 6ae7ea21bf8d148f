use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::answer::{NoPart, answer};
use super::arguments::Request;
use super::line_ranges::LineRanges;

const ID: &str = "3f2a9c0b7d1e4856";

/// What is answered to a call with these arguments besides the id, for this text.
fn ask(text: &str, mut arguments: Value) -> Result<String, NoPart> {
    arguments["id"] = ID.into();
    let request = Request::new(arguments.as_object().unwrap()).unwrap();
    answer(
        text,
        &request.part,
        Instant::now() + Duration::from_secs(60),
    )
}

fn asked(text: &str, arguments: Value) -> String {
    ask(text, arguments).unwrap()
}

/// Why a call with these arguments is refused.
fn refused(arguments: &Value) -> String {
    let refused = Request::new(arguments.as_object().unwrap());
    refused.unwrap_err().to_string()
}

/// `1` to `count`, a line each.
fn numbers(count: usize) -> String {
    let lines: Vec<String> = (1..=count).map(|number| number.to_string()).collect();
    lines.join("\n")
}

#[test]
fn without_a_part_the_text_is_returned_as_it_is() {
    for text in ["", "\n", "a", "a\r\nb\r\n", "é\u{1F600}\n\n"] {
        assert_eq!(asked(text, json!({})), text);
        let left_out = json!({"lines": "", "pattern": null});
        assert_eq!(asked(text, left_out), text);
    }
}

#[test]
fn lines_are_returned_as_they_are_under_a_line_that_says_which() {
    let text = "a\r\nb\n\nd\n";
    for (lines, expected) in [
        ("1", "[line 1 of 5]\na\r"),
        ("2-4", "[lines 2-4 of 5]\nb\n\nd"),
        ("4-", "[lines 4-5 of 5]\nd\n"),
        ("4-9", "[lines 4-5 of 5]\nd\n"),
        ("5", "[line 5 of 5]\n"),
        ("4, 1-2", "[lines 1-2 of 5]\na\r\nb\n[line 4 of 5]\nd"),
        ("1,2-3,3 - 4,9", "[lines 1-4 of 5]\na\r\nb\n\nd"),
    ] {
        assert_eq!(asked(text, json!({"lines": lines})), expected, "{lines}");
    }
}

#[test]
fn lines_that_are_not_there_are_refused() {
    assert_eq!(
        ask("a\nb", json!({"lines": "3-4"})),
        Err(NoPart::NoSuchLines(2))
    );
    assert_eq!(
        NoPart::NoSuchLines(1).to_string(),
        "the text has 1 line only"
    );
}

#[test]
fn ranges_that_meet_are_one() {
    let ranges: LineRanges = "7-,1-2,3,5,8-9".parse().unwrap();
    let ranges: Vec<_> = ranges.iter().cloned().collect();
    assert_eq!(ranges, [1..=3, 5..=5, 7..=usize::MAX]);
}

#[test]
fn a_pattern_returns_matching_lines_with_two_lines_around_each() {
    let expected = "[2 of 30 lines match; \"12:\" stands before a line that matches, \"12-\" before one around it]\n\
        1-1\n2-2\n3:3\n4-4\n5-5\n--\n28-28\n29-29\n30:30";
    assert_eq!(asked(&numbers(30), json!({"pattern": "^3$|30"})), expected);
    let overlapping = asked(&numbers(6), json!({"pattern": "[24]"}));
    assert_eq!(
        overlapping.split_once('\n').unwrap().1,
        "1-1\n2:2\n3-3\n4:4\n5-5\n6-6"
    );
    assert_eq!(
        asked("a\nb", json!({"pattern": "c"})),
        "[no line matches; the text has 2 lines]"
    );
}

#[test]
fn a_pattern_is_looked_for_in_the_lines_that_are_given() {
    let found = asked(&numbers(30), json!({"pattern": "7", "lines": "10-20"}));
    assert_eq!(
        found.split_once('\n').unwrap().1,
        "15-15\n16-16\n17:17\n18-18\n19-19"
    );
}

#[test]
fn the_end_of_a_line_is_before_its_carriage_return() {
    let found = asked("ab\r\nabc\r\n", json!({"pattern": "b$"}));
    assert_eq!(found.split_once('\n').unwrap().1, "1:ab\r\n2-abc\r\n3-");
}

#[test]
fn a_long_text_says_how_to_ask_for_a_part() {
    let text = numbers(20_000);
    let answer = asked(&text, json!({}));
    let (first, rest) = answer.split_once('\n').unwrap();
    assert!(first.starts_with("[all 20000 lines, about "), "{first}");
    assert!(first.contains("pattern"), "{first}");
    assert_eq!(rest, text);
}

#[test]
fn a_long_line_is_returned_whole() {
    let line = "0123456789".repeat(500_000);
    let text = format!("a\n{line}\nb");
    let expected = format!("[line 2 of 3]\n{line}");
    assert!(asked(&text, json!({"lines": "2"})) == expected);
    let found = asked(&text, json!({"pattern": "90123"}));
    assert!(found.ends_with(&format!("\n1-a\n2:{line}\n3-b")));
    assert!(asked(&text, json!({})).ends_with(&text));
}

#[test]
fn many_lines_and_many_matches_are_bounded() {
    let text = numbers(200_000);
    let last = asked(&text, json!({"lines": "200000"}));
    assert_eq!(last, "[line 200000 of 200000]\n200000");
    let found = asked(&text, json!({"pattern": "."}));
    assert!(
        found.starts_with("[200000 of 200000 lines match, here are the first 10000; "),
        "{}",
        &found[..100]
    );
    assert!(found.ends_with("\n10000:10000\n10001-10001\n10002-10002"));
    let odd: Vec<String> = (0..100_000).map(|it| (2 * it + 1).to_string()).collect();
    let all = "1-,".repeat(1000) + &odd.join(",");
    let answer = asked(&text, json!({"lines": all}));
    assert_eq!(answer, format!("[lines 1-200000 of 200000]\n{text}"));
}

#[test]
fn a_search_ends_at_its_deadline() {
    let request = json!({"id": ID, "pattern": "a"});
    let request = Request::new(request.as_object().unwrap()).unwrap();
    let searched = answer(
        "a\nb",
        &request.part,
        Instant::now() - Duration::from_secs(1),
    );
    assert_eq!(searched, Err(NoPart::OutOfTime));
}

#[test]
fn arguments_that_cant_be_used_are_refused_with_what_is_right() {
    for (arguments, says) in [
        (json!({}), "id is missing"),
        (json!({"id": ""}), "id is missing"),
        (json!({"id": 7}), "id must be a string"),
        (json!({"id": "xyz"}), "16 hexadecimal digits"),
        (
            json!({"id": "3f2a9c0b7d1e48563f2a9c0b7d1e4856"}),
            "16 hexadecimal digits",
        ),
        (json!({"id": ID, "range": "1"}), "\"range\" is no argument"),
        (json!({"id": ID, "lines": 41}), "lines must be a string"),
        (json!({"id": ID, "lines": "0"}), "names no lines"),
        (json!({"id": ID, "lines": "9-4"}), "names no lines"),
        (json!({"id": ID, "lines": "-4"}), "names no lines"),
        (json!({"id": ID, "lines": "+4"}), "names no lines"),
        (json!({"id": ID, "lines": "4,,5"}), "names no lines"),
        (json!({"id": ID, "lines": "1-2-3"}), "names no lines"),
        (
            json!({"id": ID, "lines": "99999999999999999999"}),
            "names no lines",
        ),
        (
            json!({"id": ID, "pattern": "("}),
            "the pattern can't be used",
        ),
        (json!({"id": ID, "pattern": "(?=a)"}), "without look-around"),
        (
            json!({"id": ID, "pattern": "(\\w{100}){100}"}),
            "the pattern can't be used",
        ),
    ] {
        let said = refused(&arguments);
        assert!(said.contains(says), "{arguments}: {said}");
    }
}

/// A line of so many bytes, of zeros and ones without an order.
fn noise(bytes: usize) -> String {
    let mut state = 1_u32;
    let mut digit = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if state >> 31 == 0 { '0' } else { '1' }
    };
    (0..bytes).map(|_| digit()).collect()
}

#[test]
fn a_search_of_one_long_line_ends_with_its_time() {
    let text = noise(32 << 20);
    let arguments = json!({"id": ID, "pattern": "(0|1)*1(0|1){1500}x"});
    let request = Request::new(arguments.as_object().unwrap()).unwrap();
    let begun = Instant::now();
    let deadline = begun + Duration::from_millis(300);
    let searched = answer(&text, &request.part, deadline);
    assert_eq!(searched, Err(NoPart::OutOfTime));
    // Many times what one piece takes.
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(20), "{took:?}");
}

#[test]
fn long_lines_are_searched_in_pieces() {
    let line = format!("{}needle{}needle", noise(3 << 20), noise(3 << 20));
    for (pattern, count) in [
        ("needle", 1),
        ("needle$", 1),
        ("needle[01]{3}", 1),
        ("^[01]", 1),
        // Nothing within a line is its beginning or its end.
        ("^needle", 0),
        ("needle$|^needle[01]", 1),
        ("[01]$", 0),
        (r"\b[01]{9}", 1),
        (r"[01]\b", 0),
    ] {
        let found = asked(&line, json!({"pattern": pattern}));
        let says = match count {
            0 => "[no line matches; the text has 1 line; in lines of more than ",
            _ => "[1 of 1 line match; \"12:\" stands",
        };
        assert!(found.starts_with(says), "{pattern}: {}", &found[..120]);
    }
    assert!(!asked("short", json!({"pattern": "x"})).contains("in lines of more"));
}
