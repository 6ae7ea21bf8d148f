//! The report as JSON and for people.

use std::collections::BTreeMap;

use headroom_tests::report::table;
use serde::Serialize;

use crate::footprint::{Footprint, Footprints, most_mib};
use crate::tally::{Check, Figures, OfKind};

const FAULTS: [&str; 8] = [
    "fault",
    "times",
    "turns",
    "cut off",
    "original again*",
    "after a loss*",
    "before thinking*",
    "violations",
];
const PROCESSES: [&str; 8] = [
    "process",
    "first half MiB",
    "second half",
    "most",
    "bound",
    "files begun",
    "most",
    "ended",
];
const FOOTER: &str = "\
turns               until the next fault of another kind
cut off             requests whose replica was killed; the client sent them again
* blocks that went out in another way than before: in the original while the store was in doubt; in any way in the first request
  of a session after all data was lost, and how many of these stood before bound thinking. All of this is allowed, once";

/// Everything that was seen.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) minutes: f64,
    #[serde(flatten)]
    pub(crate) figures: Figures,
    pub(crate) footprints: Footprints,
    pub(crate) drained: Drained,
    /// How many requests the proxy with the small disk has sent without its store.
    pub(crate) small_disk_misses: Option<u64>,
}

/// How the queue was emptied, and what has become of its jobs since all data was lost last.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Drained {
    pub(crate) after_s: f64,
    pub(crate) done: u64,
    pub(crate) done_again: u64,
    pub(crate) retried: u64,
    pub(crate) reaped: u64,
    pub(crate) dead: u64,
}

impl Report {
    pub(crate) fn violations(&self) -> usize {
        self.figures.violations.len()
    }

    /// The report for people.
    pub(crate) fn text(&self) -> String {
        let figures = &self.figures;
        let mut faults = table(&FAULTS, 1);
        faults.add_row(fault_row("(none yet)", &figures.no_fault_yet));
        for (kind, seen) in &figures.faults {
            faults.add_row(fault_row(kind, seen));
        }
        let mut processes = table(&PROCESSES, 1);
        for (name, seen) in &self.footprints.0 {
            processes.add_row(process_row(name, seen));
        }
        let all: Vec<&OfKind> = figures
            .faults
            .values()
            .chain([&figures.no_fault_yet])
            .collect();
        let sum = |of: fn(&OfKind) -> usize| all.iter().map(|seen| of(seen)).sum::<usize>();
        let decisions: Vec<String> = figures
            .decisions
            .iter()
            .map(|(decision, turns)| format!("{turns} {decision}"))
            .collect();
        let mut lines = vec![
            faults.to_string(),
            FOOTER.to_owned(),
            processes.to_string(),
            format!(
                "{} sessions, {} turns: {}; {} blocks compressed when first sent, {} landed",
                figures.sessions,
                sum(|seen| seen.turns),
                decisions.join(", "),
                sum(|seen| seen.changes.entered),
                sum(|seen| seen.changes.landed),
            ),
            self.drained.text(),
        ];
        lines.extend(self.small_disk_misses.map(|misses| {
            format!("{misses} requests went through the small disk's proxy without its store")
        }));
        lines.push(self.verdict());
        lines.join("\n")
    }
}

impl Report {
    /// How many violations there were, by what they violated.
    fn verdict(&self) -> String {
        let mut by_check = BTreeMap::<Check, usize>::new();
        for violation in &self.figures.violations {
            *by_check.entry(violation.check).or_default() += 1;
        }
        let each: Vec<String> = by_check
            .iter()
            .map(|(check, count)| format!("{count} of {check}"))
            .collect();
        match each.as_slice() {
            [] => "no violations".to_owned(),
            each => format!("violations: {}", each.join(", ")),
        }
    }
}

impl Drained {
    fn text(&self) -> String {
        format!(
            "queue empty {:.1} s after the last session; since the last loss: {} jobs done, {} done again, {} retried, {} taken \
             back, {} given up",
            self.after_s, self.done, self.done_again, self.retried, self.reaped, self.dead
        )
    }
}

fn fault_row(kind: &str, seen: &OfKind) -> [String; 8] {
    let changes = seen.changes;
    [
        kind.to_owned(),
        seen.times.to_string(),
        seen.turns.to_string(),
        seen.cut_off.to_string(),
        changes.originals.to_string(),
        changes.after_loss.to_string(),
        changes.bound_after_loss.to_string(),
        seen.violations.to_string(),
    ]
}

fn process_row(name: &str, seen: &Footprint) -> [String; 8] {
    [
        name.to_owned(),
        seen.first_half_mib.to_string(),
        seen.second_half_mib.to_string(),
        seen.most_mib.to_string(),
        most_mib(name).to_string(),
        seen.files_begun.to_string(),
        seen.files_most.to_string(),
        seen.files_ended.to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::Tally;

    #[test]
    fn a_violation_is_counted_and_stands_in_both_reports() {
        let tally = Tally::new();
        tally.violation(Check::Requests, "a/1: lost");
        let report = Report {
            seed: 7,
            minutes: 0.5,
            figures: tally.figures(),
            footprints: Footprints::default(),
            drained: Drained::default(),
            small_disk_misses: None,
        };
        let text = report.text();
        assert!(text.ends_with("violations: 1 of requests"), "{text}");
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["violations"][0]["check"], "requests");
        assert_eq!(json["no_fault_yet"]["violations"], 1);
        assert_eq!((&json["seed"], &json["minutes"]), (&7.into(), &0.5.into()));
    }
}
