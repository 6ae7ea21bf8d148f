//! What a session of Codex came to, as its report says it.

use serde_json::{Map, Value};

/// What two runs of the same session have in common of an item: all but ids, times and what commands print.
const COMMON: [&str; 5] = ["type", "text", "command", "exit_code", "status"];

/// The finished items of a session, and at last how it ended.
///
/// # Panics
/// When the report is not as Codex writes it, or is that of a session that failed.
pub(crate) fn of(said: &str) -> Vec<Value> {
    let events = said.lines().map(|line| line.parse::<Value>());
    let events: Vec<Value> = events.collect::<Result<_, _>>().expect("lines of JSON");
    let last = events.last().map(|event| &event["type"]);
    assert_eq!(last, Some(&Value::from("turn.completed")), "{said}");
    let items = events.into_iter().filter_map(|mut event| {
        let is_done = event["type"] == "item.completed";
        is_done.then(|| common(event["item"].take()))
    });
    items.collect()
}

fn common(item: Value) -> Value {
    let members: Map<String, Value> = serde_json::from_value(item).unwrap_or_default();
    let common = members.into_iter();
    let common = common.filter(|(name, _)| COMMON.contains(&name.as_str()));
    common.collect()
}
