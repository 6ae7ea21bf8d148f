//! The report for people.

use headroom_tests::report::table;

use crate::args::Args;
use crate::cpu::cores;
use crate::figures::{Report, Run, best_speedup};
use crate::sessions::Source;

const HEADER: [&str; 12] = [
    "workers",
    "empty after",
    "speed-up",
    "at best*",
    "jobs/s",
    "wait: first",
    "p50",
    "p99",
    "last",
    "uncompressed",
    "sent in",
    "free cores",
];

const FOOTER: &str = "\
empty after         from the first cold start sent until the queue is empty
wait                from a session's cold start until its compressed prefix is in the store
uncompressed        turns after the cold starts that went out as they came, before the queue was empty
sent in             until the last cold start was answered; a part of \"empty after\"
free cores          what threads of ours could have just before and after; all that runs in between shares them
* jobs run in rounds of one a worker, so a multiple of the workers as --sessions, 15 times or more, shows them at their best";

/// The table, with what was measured above it and what a reader should know below it.
pub(crate) fn of(report: &Report, args: &Args, source: &Source) -> String {
    let mut table = table(&HEADER, 0);
    for run in &report.runs {
        table.add_row(row(run, args.sessions));
    }
    let mut text = format!("{}\n{table}\n{FOOTER}", heading(args, source));
    for note in args.notes() {
        text.push_str(&format!("\nnote: {note}"));
    }
    if cfg!(debug_assertions) {
        text.push_str("\nnote: a build without optimisation; use --release for true times.");
    }
    text
}

fn heading(args: &Args, source: &Source) -> String {
    let model = args.model.as_ref();
    format!(
        "{} sessions at once ({}), {} ms of CPU and {} ms of sleep added to a job, {} cores{}",
        args.sessions,
        source.name(),
        args.added.work().as_millis(),
        args.added.sleep().as_millis(),
        cores(),
        model.map_or_else(String::new, |dir| format!(
            ", the model in {}",
            dir.display()
        )),
    )
}

fn row(run: &Run, sessions: u32) -> [String; 12] {
    let seconds = |value: f64| format!("{value:.3} s");
    [
        format!("{} {}", run.workers, run.kind.name(run.workers)),
        seconds(run.drain_s),
        format!("{:.2}", run.speedup),
        format!("{:.2}", best_speedup(sessions, run.workers)),
        format!("{:.1}", run.jobs_per_s),
        seconds(run.wait_first_s),
        seconds(run.wait_p50_s),
        seconds(run.wait_p99_s),
        seconds(run.wait_last_s),
        run.uncompressed_turns.to_string(),
        seconds(run.sending_s),
        format!("{:.2}", run.free_cores),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::{Kind, Measured};
    use headroom_shared::runtime::config::parse;
    use std::time::Duration;

    #[test]
    fn a_run_is_a_row_and_a_doubtful_choice_a_note() {
        let args: Args = parse(["burst", "--workers", "8", "--sleep", "20"]).unwrap();
        let mut report = Report::default();
        for (workers, millis) in [(1, 1000), (8, 250)] {
            let measured = Measured {
                drain: Duration::from_millis(millis),
                sending: Duration::from_millis(10),
                waits: vec![Duration::from_millis(200); 5],
                uncompressed_turns: 0,
                free_cores: 1.5,
            };
            report.add(workers, Kind::Processes, &measured);
        }
        let text = of(&report, &args, &Source::Generated);
        for said in [
            "5 sessions at once (generated ones), 0 ms of CPU and 20 ms of sleep",
            "1 process",
            "8 processes",
            "4.00",
            "note: 1 worker was measured as the base",
            "note: 5 sessions keep at most 5 of 8 workers busy",
        ] {
            assert!(text.contains(said), "{said} is not in\n{text}");
        }
    }
}
