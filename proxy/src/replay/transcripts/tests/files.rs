//! Which files are read, and what of broken ones.

use std::fs;
use std::path::Path;

use super::{outline, read_text};
use crate::replay::transcripts::{Reader, Skipped, find};

const PROMPT: &str = r#"{"type":"user","uuid":"u","parentUuid":null,"sessionId":"s","timestamp":"1970-01-01T00:00:01Z","message":{"role":"user","content":"a \u00e9\/ 1.0"}}"#;
const ANSWER: &str = r#"{"type":"assistant","uuid":"a","parentUuid":"u","sessionId":"s","message":{"id":"m","model":"claude-opus-4-6","content":[{"type":"text","text":"b"}]}}"#;

#[test]
fn broken_and_cut_lines_are_skipped_and_counted() {
    for text in [
        format!("\u{feff}{PROMPT}\r\n\r\n{ANSWER}\r\n"),
        format!("{PROMPT}\n{{\"type\":\n{ANSWER}"),
        format!("{PROMPT}\n\n{ANSWER}\n{}", &ANSWER[..ANSWER.len() / 2]),
        format!("{PROMPT}\n[]\n{ANSWER}\n"),
        format!("{PROMPT}\n{}\n{ANSWER}\n", PROMPT.replace("\"u\"", "7")),
    ] {
        let mut reader = Reader::default();
        let sessions = read_text(&mut reader, &text).unwrap();
        let expected = [r#"{"role":"user","content":"a \u00e9\/ 1.0"}"#, "ask 1000"];
        assert_eq!(outline(&sessions[0]), expected, "{text}");
        let skipped: u64 = reader.skipped.lines.values().sum();
        assert_eq!(skipped, u64::from(!text.contains('\r')), "{text}");
    }
}

#[test]
fn a_file_that_is_no_transcript_gives_the_reason() {
    let mut reader = Reader::default();
    let mut reason = |text: &[u8]| read_text(&mut reader, text).unwrap_err().to_string();
    assert_eq!(reason(b""), "is empty");
    assert_eq!(reason(b"\x1f\x8b\0\0"), "is binary");
    let unknown = "is no transcript of a format that is known";
    assert_eq!(reason(b"words\n"), unknown);
    assert_eq!(reason(b"{}\n{\"type\":\"user\"}\n"), unknown);
    let folder = tempfile::tempdir().unwrap();
    let error = reader.read(folder.path()).unwrap_err();
    assert_eq!(error.to_string(), "is a folder");
    let error = reader.read(&folder.path().join("none")).unwrap_err();
    assert_eq!(error.to_string(), "can't be read");
    let large = folder.path().join("large.jsonl");
    fs::File::create(&large).unwrap().set_len(3 << 30).unwrap();
    let error = reader.read(&large).unwrap_err();
    assert!(error.to_string().starts_with("has 3221225472 bytes"));
    assert!(reader.skipped.lines.is_empty());
}

#[cfg(unix)]
#[test]
fn a_device_is_not_read() {
    let error = Reader::default().read(Path::new("/dev/zero")).unwrap_err();
    assert_eq!(error.to_string(), "is no regular file");
}

#[test]
fn folders_are_walked_and_files_taken_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir_all(path("b.jsonl/deep")).unwrap();
    for name in [
        "z.jsonl",
        "agent-1.jsonl",
        "b.jsonl/deep/c.jsonl",
        "words.txt",
    ] {
        fs::write(path(name), "").unwrap();
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink(folder.path(), path("loop")).unwrap();
    let mut skipped = Skipped::default();
    let mut found = |paths: &[&str]| {
        let paths: Vec<_> = paths.iter().map(|name| path(name)).collect();
        find(&paths, &mut skipped)
    };
    let expected = ["b.jsonl/deep/c.jsonl", "z.jsonl", "agent-1.jsonl"];
    assert_eq!(found(&["", "z.jsonl"]).unwrap(), expected.map(path));
    assert_eq!(found(&["words.txt"]).unwrap(), [path("words.txt")]);
    let error = found(&["none"]).unwrap_err().to_string();
    assert!(error.starts_with("can't read "), "{error}");
    assert!(skipped.files.is_empty());
}
