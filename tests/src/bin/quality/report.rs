//! The file for `--json`, and the tables for people.

use comfy_table::Table;
use headroom_shared::contract::tier::Tier;
use headroom_tests::report::table;
use serde_json::{Value, json};

use crate::outputs::KindResult;
use crate::probes::ProbeResult;
use crate::sessions::SessionResult;
use crate::tally::{Exactness, Speed, Tokens};

const FOOTER: &str = "\
tokens      of o200k_base, exact; in sessions those of tool results
entry       each tool result as it went out first
end         the tool results in the last request; in the recoverable tier as they go out when it is resumed after a pause
MB/s        of CPU time, one thread; \"history\": with what a block adds to the history of those after it
exact       forms that expand to the block byte for byte, of all forms; \"colours\": all but the colours of a command's output
verbatim    word for word in the newest tool result that has it
referenced  not there, but word for word elsewhere in the request, where references lead
retrievable only by undoing the form, or by a retrieval";

/// All that was measured.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// What forms may leave out.
    pub(crate) tier: Tier,
    pub(crate) kinds: Vec<KindResult>,
    pub(crate) sessions: Vec<SessionResult>,
    pub(crate) probes: Vec<ProbeResult>,
}

impl Report {
    /// What `--json` writes.
    pub(crate) fn json(&self) -> Value {
        let kinds = self.kinds.iter().map(|it| {
            json!({
                "kind": it.kind,
                "tier": self.tier.name(),
                "tokens_before": it.tokens.before,
                "tokens_after": it.tokens.after,
                "mb_per_s": it.speed.mb_per_s(),
            })
        });
        let sessions = self.sessions.iter().flat_map(|it| {
            [("entry", it.entry), ("end", it.end)].map(|(at, tokens)| {
                json!({
                    "id": it.id,
                    "tier": self.tier.name(),
                    "at": at,
                    "tokens_before": tokens.before,
                    "tokens_after": tokens.after,
                })
            })
        });
        let probes = self.probes.iter().map(|it| {
            json!({
                "set": it.set,
                "kind": it.kind,
                "tier": self.tier.name(),
                "n": it.n,
                "verbatim": it.verbatim,
                "referenced": it.referenced,
                "retrievable": it.retrievable,
            })
        });
        json!({
            "kinds": kinds.collect::<Vec<_>>(),
            "sessions": sessions.collect::<Vec<_>>(),
            "probes": probes.collect::<Vec<_>>(),
        })
    }

    /// The tables.
    pub(crate) fn tables(&self) -> String {
        let mut text = String::new();
        if cfg!(debug_assertions) {
            text.push_str("note: a build without optimisation; use --release for true speeds\n\n");
        }
        for table in [self.kinds(), self.sessions(), self.probes()] {
            text.push_str(&format!("{table}\n\n"));
        }
        text + FOOTER
    }

    fn kinds(&self) -> Table {
        let mut table = table(
            &[
                "kind", "tokens", "after", "removed", "forms", "exact", "colours", "MB/s",
            ],
            1,
        );
        let (mut tokens, mut exactness, mut speed) = Default::default();
        for it in &self.kinds {
            table.add_row(kind_row(&it.kind, it.tokens, it.exactness, it.speed));
            tokens += it.tokens;
            exactness += it.exactness;
            speed += it.speed;
        }
        table.add_row(kind_row("all", tokens, exactness, speed));
        table
    }

    fn sessions(&self) -> Table {
        let mut table = table(
            &[
                "session", "tokens", "at entry", "removed", "at end", "removed", "forms", "exact",
                "colours", "MB/s", "history",
            ],
            1,
        );
        let mut total = SessionResult::default();
        for it in &self.sessions {
            table.add_row(session_row(it));
            total.entry += it.entry;
            total.end += it.end;
            total.exactness += it.exactness;
            total.compressing += it.compressing;
            total.with_history += it.with_history;
        }
        total.id = "all".to_owned();
        table.add_row(session_row(&total));
        table
    }

    fn probes(&self) -> Table {
        let mut table = table(
            &[
                "probes",
                "kind",
                "n",
                "verbatim",
                "referenced",
                "retrievable",
            ],
            1,
        );
        for it in &self.probes {
            let mut cells = vec![it.set.to_owned(), it.kind.clone()];
            let counts = [it.n, it.verbatim, it.referenced, it.retrievable];
            cells.extend(counts.map(|count| count.to_string()));
            table.add_row(cells);
        }
        table
    }
}

fn kind_row(kind: &str, tokens: Tokens, exactness: Exactness, speed: Speed) -> Vec<String> {
    let mut cells = vec![
        kind.to_owned(),
        tokens.before.to_string(),
        tokens.after.to_string(),
    ];
    cells.push(percent(tokens.removed()));
    cells.extend(exactness_cells(exactness));
    cells.push(format!("{:.0}", speed.mb_per_s()));
    cells
}

fn session_row(it: &SessionResult) -> Vec<String> {
    let mut cells = vec![it.id.clone(), it.entry.before.to_string()];
    for tokens in [it.entry, it.end] {
        cells.extend([tokens.after.to_string(), percent(tokens.removed())]);
    }
    cells.extend(exactness_cells(it.exactness));
    cells.extend([it.compressing, it.with_history].map(|speed| format!("{:.0}", speed.mb_per_s())));
    cells
}

fn exactness_cells(it: Exactness) -> [String; 3] {
    [
        format!("{} of {}", it.forms, it.blocks),
        it.exact.to_string(),
        it.colourless.to_string(),
    ]
}

fn percent(value: f64) -> String {
    format!("{value:.1} %")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_has_a_row_for_each_kind_and_two_for_each_session() {
        let tokens = Tokens {
            before: 9,
            after: 7,
        };
        let report = Report {
            tier: Tier::Lossless,
            kinds: vec![KindResult {
                kind: "log".to_owned(),
                tokens,
                exactness: Exactness::default(),
                speed: Speed::default(),
            }],
            sessions: vec![SessionResult {
                id: "s".to_owned(),
                entry: tokens,
                ..SessionResult::default()
            }],
            probes: Vec::new(),
        };
        let expected = json!({
            "kinds": [{"kind": "log", "tier": "lossless", "tokens_before": 9, "tokens_after": 7, "mb_per_s": 0.0}],
            "sessions": [
                {"id": "s", "tier": "lossless", "at": "entry", "tokens_before": 9, "tokens_after": 7},
                {"id": "s", "tier": "lossless", "at": "end", "tokens_before": 0, "tokens_after": 0},
            ],
            "probes": [],
        });
        assert_eq!(report.json(), expected);
        assert!(report.tables().contains("22.2 %"));
    }
}
