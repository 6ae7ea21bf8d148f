//! The report for people.

use std::time::Duration;

use headroom_tests::report::percentile;
use headroom_tests::report::table;

/// What may come on top of the budget, in ms.
const TOLERANCE_MS: u64 = 10;

const FOOTER: &str = "\
times in ms, from the client's first byte to the arrival of the head at the provider
without, with  a budget
added          the difference at the same percentile";

/// The times of one body.
#[derive(Debug)]
pub(crate) struct Row {
    name: &'static str,
    bytes: usize,
    with: Vec<f64>,
    without: Vec<f64>,
}

impl Row {
    pub(crate) const fn new(name: &'static str, bytes: usize) -> Self {
        Self {
            name,
            bytes,
            with: Vec::new(),
            without: Vec::new(),
        }
    }

    /// Adds a time: with the budget, or without.
    pub(crate) fn add(&mut self, has_budget: bool, time: Duration) {
        let times = if has_budget {
            &mut self.with
        } else {
            &mut self.without
        };
        times.push(time.as_secs_f64() * 1e3);
    }
}

/// The table of all that was measured.
pub(crate) fn of(rows: &[Row], budget_ms: u64) -> String {
    let mut table = table(
        &[
            "body",
            "MB",
            "without: p50",
            "p99",
            "with: p50",
            "p99",
            "added: p50",
            "p99",
            "",
        ],
        1,
    );
    let bound = (budget_ms + TOLERANCE_MS) as f64;
    for row in rows {
        let times = [sorted(&row.without), sorted(&row.with)];
        let [[without, without_tail], [with, with_tail]] =
            times.map(|times| [50, 99].map(|percent| percentile(&times, percent)));
        let added = with_tail - without_tail;
        let mut cells = vec![
            row.name.to_owned(),
            format!("{:.1}", row.bytes as f64 / 1e6),
        ];
        let figures = [
            without,
            without_tail,
            with,
            with_tail,
            with - without,
            added,
        ];
        cells.extend(figures.map(|figure| format!("{figure:.1}")));
        cells.push(if added > bound { "over" } else { "" }.to_owned());
        table.add_row(cells);
    }
    let mut text =
        format!("budget {budget_ms} ms; \"over\": more than {bound} ms are added at the p99\n\n");
    if cfg!(debug_assertions) {
        text.push_str("note: a build without optimisation; use --release for true times\n\n");
    }
    format!("{text}{table}\n{FOOTER}")
}

fn sorted(times: &[f64]) -> Vec<f64> {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times
}
