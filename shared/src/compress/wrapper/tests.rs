//! Tests of what is taken off a text, and of its form.

use super::*;
use crate::compress::split_header;

const CONTENT: &str = "a \"b\"\n\tc, which goes on for a while\n";
const REMINDER: &str =
    "<system-reminder>\n<total_tokens>184230 tokens left</total_tokens>\n</system-reminder>";

fn pieces(text: &str) -> Option<[String; 3]> {
    Wrapped::split(text).map(|it| [it.before.into(), it.inside.into(), it.after.into()])
}

fn three(before: &str, inside: &str, after: &str) -> Option<[String; 3]> {
    Some([before, inside, after].map(ToOwned::to_owned))
}

#[test]
fn reminders_are_set_apart_at_both_ends() {
    let text = format!("{REMINDER}\n[1]\n\n{REMINDER}\n");
    let after = format!("\n\n{REMINDER}\n");
    let before = format!("{REMINDER}\n");
    assert_eq!(pieces(&text), three(&before, "[1]", &after));
    let two = format!("[1]\n{REMINDER}\n\n{REMINDER}");
    assert_eq!(pieces(&two), three("", "[1]", &two[3..]));
}

#[test]
fn what_codex_says_of_a_command_is_set_apart() {
    let opening = "Chunk ID: 1f\nWall time: 0.1 seconds\nProcess exited with code 0\nOutput:\n";
    let text = format!("{opening}[1]\n");
    assert_eq!(pieces(&text), three(opening, "[1]\n", ""));
}

#[test]
fn lines_around_json_are_set_apart() {
    let json = "{\"a\": \"some text that is longer than what is around it\"}\n[2]";
    let text = format!("2 values:\n{json}\nexit code 0\n");
    assert_eq!(pieces(&text), three("2 values:\n", json, "\nexit code 0\n"));
    let opening = "Exit code: 0\nOutput:\n";
    let text = format!("{opening}{json}\nexit code 0\n");
    assert_eq!(pieces(&text), three(opening, json, "\nexit code 0\n"));
}

#[test]
fn what_is_around_may_be_of_several_kinds() {
    let json = "{\"a\": \"some text that is longer than what is around it\"}";
    let before = "<returncode>0</returncode>\n<output>\nExit code 0\nFound:\n```json\n";
    let after = format!("\n```\n</output>\n{REMINDER}");
    let text = format!("{before}{json}{after}");
    assert_eq!(pieces(&text), three(before, json, &after));
}

#[test]
fn an_output_in_a_json_string_is_set_apart() {
    let text = r#"{"exit_code":0,"output":"a \"b\"\n\tc, which goes on for a while\n","x":[1]}"#;
    let parts = three(r#"{"exit_code":0,"output":""#, CONTENT, r#"","x":[1]}"#);
    assert_eq!(pieces(text), parts);
    let pretty = text
        .replace("{\"exit_code\":0,", "{\n")
        .replace(",\"x\":[1]}", "\n}\n");
    let string = &text[text.find("\"a ").unwrap()..text.find(",\"x\"").unwrap()];
    for text in [
        pretty,
        format!("{text}\n{REMINDER}"),
        format!("[{{\"type\":\"text\",\"text\":{string}}}]"),
        format!("{{\"result\":{{\"content\":[{string}]}}}}"),
        string.to_owned(),
    ] {
        assert_eq!(pieces(&text).unwrap()[1], CONTENT);
    }
    for text in [
        r#"{"output":"\u00E9 and more of it that is long"}"#,
        r#"{"output":"a\u0000b and more of it that is long"}"#,
        r#"{"output":"no escape in it"}"#,
        r#"{"output":"a\n","other":"more text than the output has in it"}x"#,
        r#"{"a":"sh\nort","b":[1,2,3,4,5,6,7,8,9,10,11,12,13,14]}"#,
        r#""an end\"#,
    ] {
        assert_eq!(pieces(text), None, "{text}");
    }
}

#[test]
fn a_text_with_nothing_around_it_is_left_alone() {
    for text in ["", "plain", REMINDER, "<a>b</a> c", "Output"] {
        assert_eq!(pieces(text), None, "{text:?}");
    }
}

#[test]
fn texts_within_texts_are_found_three_deep() {
    let wrap = |text: &str| serde_json::json!({ "output": text }).to_string();
    let texts = [CONTENT.to_owned(), wrap(CONTENT)];
    let third = wrap(&texts[1]);
    let fourth = wrap(&third);
    assert_eq!(insides(&third), [&*texts[1], &*texts[0]]);
    let fifth = wrap(&fourth);
    assert_eq!(insides(&fifth), [&*fourth, &*third, &*texts[1]]);
}

#[test]
fn the_pieces_are_found_again_in_the_form() {
    let behind = format!("[1]\n\n{REMINDER}");
    let before = format!("{REMINDER}\n[1]");
    let both = format!("Exit code: 0\nOutput:\né\n{REMINDER}");
    let string = r#"{"output":"é \"1\"\n2\\\u001b"}"#.to_owned();
    for text in [behind, before, both, string] {
        let wrapped = Wrapped::split(&text).unwrap();
        let form = wrapped.with_form("[headroom: x]\ny");
        let (header, body) = split_header(&form).unwrap();
        let read = WrappedForm::read(header, body).unwrap();
        assert_eq!((read.inside, read.has_header), ("[headroom: x]\ny", true));
        assert_eq!(read.restore(&wrapped.inside), text);
        let Some(form) = wrapped.unescaped() else {
            continue;
        };
        let (header, body) = split_header(&form).unwrap();
        let read = WrappedForm::read(header, body).unwrap();
        assert_eq!((read.inside, read.has_header), (&*wrapped.inside, false));
        assert_eq!(read.restore(read.inside), text);
    }
}

#[test]
fn a_header_that_does_not_fit_is_none() {
    let rest = "bytes stand as they were; the rest";
    for (header, body) in [
        (format!("the last 5 {rest} has a header of its own"), "abc"),
        (format!("the last 1 {rest} has a header of its own"), "é"),
        (format!("the first x {rest} has a header of its own"), "abc"),
        (
            format!("the first 1 {rest} has a header of its own, and"),
            "abc",
        ),
        (
            format!("the first 1 {rest} was the content of a JSON string, escaped as nobody does"),
            "abc",
        ),
        (format!("the first 1 {rest}"), "abc"),
        ("the first 1".to_owned(), "abc"),
    ] {
        assert_eq!(WrappedForm::read(&header, body), None, "{header}");
    }
}
