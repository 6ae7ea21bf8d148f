//! Bodies of sessions that real agents had, where the recordings are present.

use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;

/// A line of a recording, as far as it makes up a body.
#[derive(Deserialize)]
struct Line<'a> {
    /// A message of the session, as it was.
    #[serde(borrow)]
    m: Option<&'a RawValue>,
}

/// One body with all the messages of a session; `None` without the recording.
pub(crate) fn body(name: &str, dialect: usize) -> Option<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/sessions");
    let text = fs::read_to_string(folder.join(format!("{name}.jsonl"))).ok()?;
    let lines = text.lines().map(serde_json::from_str::<Line<'_>>);
    let messages: Vec<&str> = lines.filter_map(|line| Some(line.ok()?.m?.get())).collect();
    let member = ["messages", "messages", "input"][dialect];
    Some(format!(
        r#"{{"model":"m","{member}":[{}]}}"#,
        messages.join(",")
    ))
}
