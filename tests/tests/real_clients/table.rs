//! What became of a session's tool results, for a reader of the test's output.

use std::collections::BTreeMap;

use comfy_table::{CellAlignment, LineStyle, Table, presets};
use headroom_proxy::scan::MIN_TOOL_BYTES;

use crate::session::{Sent, Session, Turn};

/// Bytes of tool results.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    texts: usize,
    bytes: usize,
    sent: usize,
    /// What was left, in bytes by reason.
    left: BTreeMap<String, usize>,
}

impl Tally {
    /// Adds up results.
    pub(crate) fn of<'a>(results: impl IntoIterator<Item = &'a Sent>) -> Self {
        let mut tally = Self::default();
        for result in results {
            tally.texts += 1;
            tally.bytes += result.bytes;
            tally.sent += result.sent;
            if result.sent == result.bytes {
                *tally.left.entry(why(result)).or_default() += result.bytes;
            }
        }
        tally
    }

    /// How much less was sent, in percent.
    pub(crate) fn saved(&self) -> f64 {
        100.0 * (1.0 - self.sent as f64 / self.bytes.max(1) as f64)
    }

    fn row(&self, name: &str) -> Vec<String> {
        let left: Vec<String> = self
            .left
            .iter()
            .map(|(reason, bytes)| format!("{reason} {bytes}"))
            .collect();
        vec![
            name.to_owned(),
            self.texts.to_string(),
            self.bytes.to_string(),
            self.sent.to_string(),
            format!("{:.1} %", self.saved()),
            left.join(", "),
        ]
    }
}

fn why(result: &Sent) -> String {
    if result.bytes < MIN_TOOL_BYTES {
        "small".to_owned()
    } else {
        result.left.clone()
    }
}

/// Tables of a session from its tool call of this number (counted from 0) on: by kind of result, and call by call.
pub(crate) fn of(name: &str, session: &Session, from: usize) -> String {
    let results: Vec<&Sent> = session
        .results
        .iter()
        .filter(|result| result.step >= from)
        .collect();
    let mut kinds: BTreeMap<&str, Vec<&Sent>> = BTreeMap::new();
    let mut steps: BTreeMap<usize, Vec<&Sent>> = BTreeMap::new();
    for &result in &results {
        kinds.entry(result.kind).or_default().push(result);
        steps.entry(result.step).or_default().push(result);
    }
    let mut rows: Vec<_> = kinds
        .into_iter()
        .map(|(kind, results)| Tally::of(results).row(kind))
        .collect();
    rows.push(Tally::of(results).row("all"));
    let steps = steps.into_iter().map(|(step, results)| {
        let (tool, input) = &results[0].call;
        let input: String = input.chars().take(90).collect();
        Tally::of(results).row(&format!("{} {tool} {}", step + 1, input.replace('\n', " ")))
    });
    format!(
        "{name}: {}\n{}\n{}",
        turns(session),
        table("results", rows),
        table("call", steps.collect()),
    )
}

fn table(first: &str, rows: Vec<Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.style_mut().row_separator = LineStyle::none();
    table.set_header([
        first,
        "texts",
        "bytes in",
        "bytes sent",
        "saved",
        "left whole: why, bytes",
    ]);
    for row in rows {
        table.add_row(row);
    }
    for column in 1..5 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn turns(session: &Session) -> String {
    let mut decisions: BTreeMap<&str, usize> = BTreeMap::new();
    for turn in &session.turns {
        *decisions.entry(decision(turn)).or_default() += 1;
    }
    let bytes: usize = session.turns.iter().map(|turn| turn.bytes).sum();
    let sent: usize = session.turns.iter().map(|turn| turn.sent).sum();
    format!(
        "{} turns, {decisions:?}: {bytes} bytes of bodies in, {sent} sent",
        session.turns.len()
    )
}

fn decision(turn: &Turn) -> &str {
    match turn.decision.as_str() {
        _ if turn.warms_up => "warm-up",
        "" => "on a WebSocket",
        decision => decision,
    }
}
