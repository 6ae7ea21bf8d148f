//! What must hold in the demo. A turn for which it does not hold ends it with an error.

use anyhow::{Context, ensure};
use headroom_shared::compress::{self, Earlier, Source};
use serde_json::Value;

use super::session::Session;
use crate::scan::MIN_TOOL_BYTES;

/// The cold start goes out as it came and is left to a worker.
pub(super) fn untouched(decision: &str, sent: &[u8], received: &[u8]) -> anyhow::Result<()> {
    ensure!(
        decision == "deferred",
        "turn 1 was {decision:?}, not deferred"
    );
    ensure!(
        sent == received,
        "turn 1 did not reach the provider byte for byte"
    );
    Ok(())
}

/// A request begins with the very bytes of the one before it, as far as the end of its messages.
pub(super) fn goes_on(number: usize, before: &[u8], received: &[u8]) -> anyhow::Result<()> {
    let messages = before.strip_suffix(b"]}").unwrap_or(before);
    ensure!(
        received.starts_with(messages),
        "turn {number} did not begin with the bytes of the turn before it"
    );
    Ok(())
}

/// Each tool output that was sent in another form expands to the original. Gives how many those are.
pub(super) fn expand(session: &Session, received: &[u8]) -> anyhow::Result<usize> {
    let body: Value = serde_json::from_slice(received).context("what was sent is no JSON")?;
    let messages = body["messages"].as_array();
    let sent = messages
        .into_iter()
        .flatten()
        .filter_map(|message| message.pointer("/content/0/content")?.as_str());
    let mut earlier = Earlier::default();
    let mut expanded = 0;
    let inputs: Vec<String> = session.steps().map(|step| step.input.to_string()).collect();
    for ((step, input), sent) in session.steps().zip(&inputs).zip(sent) {
        if sent != step.output {
            let original = compress::expand(sent, &earlier);
            let same = original.is_ok_and(|text| compress::equivalent(&step.output, &text));
            ensure!(same, "a compressed output of {} does not expand", step.tool);
            expanded += 1;
        }
        // Shorter outputs are no blocks, and blocks count on each other by number.
        if Value::from(step.output.as_str()).to_string().len() - 2 >= MIN_TOOL_BYTES {
            earlier.push(Source {
                text: &step.output,
                tool: Some(step.tool),
                input: Some(input),
            });
        }
    }
    Ok(expanded)
}
