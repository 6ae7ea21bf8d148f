//! Tests of [`compress`] and [`expand`].

pub(super) mod generators;
mod layouts;
mod properties;
mod references;
mod time;
mod wrapped;

use super::*;

fn source(text: &str) -> Source<'_> {
    Source {
        text,
        tool: Some("Bash"),
        input: Some(r#"{"command":"./report"}"#),
    }
}

fn form_of(text: &str) -> Option<String> {
    compress(source(text), &Earlier::default()).ok()
}

fn output_of<'a>(command: &'a str, text: &'a str) -> Source<'a> {
    Source {
        text,
        tool: Some("Bash"),
        input: Some(command),
    }
}

#[test]
fn small_texts_and_texts_with_our_header_get_no_form() {
    assert_eq!(form_of(""), None);
    assert_eq!(form_of("[ 1 ]"), None);
    let long = "the same line again\n".repeat(50);
    assert!(form_of(&long).is_some());
    assert_eq!(form_of(&format!("{OPENING}x]\n{long}")), None);
}

#[test]
fn headers_stack_and_come_off_again() {
    let line = |n: usize| format!("\x1b[1m{n}\x1b[0m lines of a log that repeats\n");
    let text: String = (0..20).map(line).collect();
    let block = output_of(r#"{"command":"cargo test"}"#, &text);
    let form = compress(block, &Earlier::default()).unwrap();
    let mut lines = form.lines();
    assert!(lines.next().unwrap().contains("[×N]"));
    assert_eq!(lines.next(), Some("[headroom: terminal colours removed]"));
    assert_eq!(
        expand(&form, &Earlier::default()).unwrap(),
        ansi::without_colour(&text)
    );
    assert!(gives_back(&form, block, &Earlier::default()));
    let file = output_of(r#"{"command":"cat log"}"#, &text);
    assert!(!gives_back(&form, file, &Earlier::default()));
}

#[test]
fn colours_stay_where_a_file_may_have_been_printed() {
    let line = |n: usize| {
        format!(
            "\x1b[3{}m{:x}\x1b[0m {}\n",
            n % 8,
            n * n * 7919,
            n * n * 104_729
        )
    };
    let text: String = (0..50).map(line).collect();
    let form = |input| compress(output_of(input, &text), &Earlier::default());
    let made = form(r#"{"command":"cargo test"}"#).unwrap();
    assert!(!made.contains('\x1b'), "{made}");
    for input in [r#"{"command":"cat log"}"#, r#"{"file_path":"log"}"#] {
        let kept = form(input).is_err_and(|why| why == NoForm::NoGain);
        assert!(kept, "{input}");
    }
}

#[test]
fn why_there_is_no_form_is_told() {
    let why = |text: &str| compress(source(text), &Earlier::default());
    assert_eq!(why("short"), Err(NoForm::NoGain));
    let words: String = (0..200).map(|n| format!("word{} ", n * n)).collect();
    assert_eq!(why(&words), Err(NoForm::NoGain));
    let little = format!(
        "{words}{}",
        "\nthe very same line again, and again".repeat(6)
    );
    assert_eq!(why(&little), Err(NoForm::BelowFloor));
}

#[test]
fn unpadded_line_numbers_are_worth_taking_off() {
    let line = |n: usize| {
        format!(
            "{n}\t    let value_{n} = compute_the_next_one({n}, &settings, &mut state); // keeps it\n"
        )
    };
    let text: String = (1..=120).map(line).collect();
    let form = form_of(&text).unwrap();
    assert!(
        form.starts_with("[headroom: line numbers removed, from \"1\t\" on"),
        "{form}"
    );
    assert_eq!(expand(&form, &Earlier::default()).unwrap(), text);
}

#[test]
fn what_is_no_form_is_an_error() {
    let earlier = Earlier::default();
    for text in ["", "text", "[headroom: x", "[headroom: x\ny"] {
        assert!(
            matches!(expand(text, &earlier), Err(ExpandError::NotAForm)),
            "{text:?}"
        );
    }
    for text in [
        "[headroom: unheard of]\nx",
        "[headroom: the same text, word for word, as Bash ./report]\n",
        "[headroom: line numbers removed, from \"x\" on]\n",
    ] {
        assert!(
            matches!(expand(text, &earlier), Err(ExpandError::Broken(_))),
            "{text:?}"
        );
    }
}
