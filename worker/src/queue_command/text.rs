//! Formats the results of queue commands as text.

use std::fmt::Write;

use comfy_table::{CellAlignment, Table, presets};
use headroom_shared::queue::{
    Content, DeadLetters, DroppedFrom, JobList, JobState, Paused, QueueStatus, ReplayOutcome,
    WorkerInfo,
};
use headroom_shared::runtime::terminal::sanitized;
use headroom_shared::store::StoreError;

use super::StatusOutput;
use super::drain_rate::DrainRate;
use super::format::{duration, size};

/// The output of `status`.
pub(super) fn status(output: &StatusOutput<'_>) -> String {
    let (status, totals) = (output.status, output.status.totals);
    let mut table = Table::new();
    let oldest = status
        .oldest_ms
        .map(|age| format!("oldest {}", duration(age)));
    let depth = status.depth;
    // The state of the job that is claimed next.
    let next_in = if depth.waiting > 0 {
        "waiting"
    } else {
        "waiting_refresh"
    };
    for (name, count) in depth.by_state() {
        let more = oldest.clone().filter(|_| name == next_in);
        table.add_row([name.to_owned(), count.to_string(), more.unwrap_or_default()]);
    }
    align_right(&mut table, &[1]);
    let mut text = format!("queue {} at {}\n\n", output.namespace, output.redis);
    text += &lines(table);
    let _ = writeln!(
        text,
        "\npaused   {}",
        status.paused.as_ref().map_or("no".to_owned(), pause_info)
    );
    let _ = writeln!(
        text,
        "text     {} count against the bound",
        size(status.queued_bytes)
    );
    let _ = writeln!(
        text,
        "so far   {} enqueued, {} coalesced, {} dropped at the bound\n         {} done, {} done again, {} retried, {} reaped, {} dead",
        totals.enqueued,
        totals.coalesced,
        totals.dropped_full,
        totals.done,
        totals.done_again,
        totals.retried,
        totals.reaped,
        totals.dead
    );
    if let Some(rate) = output.rate {
        text += &rate_lines(rate);
    }
    text + "\n" + &workers(status)
}

fn pause_info(paused: &Paused) -> String {
    match (paused.since_ms, &paused.by) {
        (Some(ms), Some(by)) => format!("for {}, by {}", duration(ms), sanitized(by)),
        _ => "yes".to_owned(),
    }
}

fn rate_lines(rate: DrainRate) -> String {
    let per_second = rate.per_second.map_or_else(
        || "not known yet".to_owned(),
        |jobs| format!("{jobs:.1} jobs done per second"),
    );
    let empty = match rate.eta_s {
        None => rate.no_eta.to_owned(),
        Some(0) => "now".to_owned(),
        Some(seconds) => format!("in {}", duration(seconds * 1000)),
    };
    format!("pace     {per_second}\nempty    {empty}\n")
}

fn workers(status: &QueueStatus) -> String {
    if status.workers.is_empty() {
        return "no workers: nothing is claimed until one starts\n".to_owned();
    }
    let mut table = table_with_header(&["worker", "heartbeat", "", "holds", "threads", "version"]);
    for worker in &status.workers {
        let info = worker.info.as_ref();
        table.add_row([
            sanitized(&worker.id),
            format!("{} ago", duration(worker.heartbeat_ms)),
            match info {
                _ if !worker.alive => "stale",
                Some(WorkerInfo {
                    ending: Some(_), ..
                }) => "ending",
                _ => "alive",
            }
            .to_owned(),
            worker.holds.to_string(),
            info.map_or_else(String::new, |info| info.threads.to_string()),
            info.map_or_else(String::new, |info| sanitized(&info.version)),
        ]);
    }
    align_right(&mut table, &[1, 3, 4]);
    lines(table)
}

/// The output of `status --watch` while Redis is away.
pub(super) fn away(place: &str, error: &StoreError) -> String {
    format!("{place} is away: {error}\ntries again every second\n")
}

/// The output of `list`.
#[must_use]
pub fn jobs(list: &JobList) -> String {
    if list.jobs.is_empty() {
        return "no job waits, is in work or delayed\n".to_owned();
    }
    let mut table = table_with_header(&[
        "state", "id", "model", "tokens", "blocks", "text", "pushed", "prefix", "trace", "where",
    ]);
    for job in &list.jobs {
        let (state, place) = match &job.state {
            JobState::Waiting => ("waiting", String::new()),
            JobState::WaitingRefresh => ("waiting_refresh", String::new()),
            JobState::Active { worker } => ("active", format!("at {}", sanitized(worker))),
            JobState::Delayed { due_in_ms } => {
                ("delayed", format!("due in {}", duration(*due_in_ms)))
            }
        };
        let mut row = vec![state.to_owned()];
        match &job.content {
            Content::Unreadable { unreadable } => row.push(sanitized(unreadable)),
            Content::Envelope(envelope) => row.extend([
                sanitized(&envelope.id),
                sanitized(&envelope.model),
                envelope.tokens.to_string(),
                envelope.blocks.to_string(),
                size(envelope.bytes),
                format!("{} ago", duration(job.age_ms.unwrap_or_default())),
                envelope.prefix.to_string(),
                sanitized(&envelope.trace),
                place,
            ]),
        }
        table.add_row(row);
    }
    align_right(&mut table, &[3, 4, 5, 6]);
    lines(table) + &and_more(list.more)
}

/// The output of `dead`.
#[must_use]
pub fn dead_letters(list: &DeadLetters) -> String {
    if list.dead.is_empty() {
        return "no job is buried\n".to_owned();
    }
    let mut table = table_with_header(&["id", "buried", "model", "tokens", "worker", "reason"]);
    for job in &list.dead {
        let (id, model, tokens) = match &job.content {
            Content::Envelope(envelope) => (
                sanitized(&envelope.id),
                sanitized(&envelope.model),
                envelope.tokens.to_string(),
            ),
            Content::Unreadable { .. } => ("(no id)".to_owned(), String::new(), String::new()),
        };
        table.add_row([
            id,
            format!("{} ago", duration(job.age_ms)),
            model,
            tokens,
            sanitized(&job.worker),
            sanitized(&job.reason),
        ]);
    }
    align_right(&mut table, &[1, 3]);
    lines(table) + &and_more(list.more)
}

fn and_more(more: u64) -> String {
    match more {
        0 => String::new(),
        more => format!("… and {more} more (--limit shows more of them)\n"),
    }
}

/// The output of `replay`.
#[must_use]
pub fn replayed(outcome: &ReplayOutcome) -> String {
    let mut text = String::new();
    for refused in &outcome.refused {
        let id = refused.id.as_deref().map_or("(no id)".into(), sanitized);
        let _ = writeln!(text, "{id} stays buried: {}", sanitized(&refused.reason));
    }
    match outcome.replayed.as_slice() {
        [] => text + "no job was replayed\n",
        [id] => text + &format!("{} waits in the queue again\n", sanitized(id)),
        ids => text + &format!("{} jobs wait in the queue again\n", ids.len()),
    }
}

/// The output of `drop`.
#[must_use]
pub fn dropped(id: &str, from: DroppedFrom) -> String {
    let was = match from {
        DroppedFrom::Waiting => "it waited in the queue",
        DroppedFrom::Delayed => "it was delayed",
        DroppedFrom::Dead => "it was buried",
    };
    format!("{} is dropped: {was}\n", sanitized(id))
}

/// The output of `pause`.
pub(super) fn paused(before: Option<&Paused>) -> String {
    match before {
        Some(before) => format!("it was paused before ({})\n", pause_info(before)),
        None => "paused: workers end what they work on and claim no more until `queue resume`\n"
            .to_owned(),
    }
}

/// The output of `resume`.
pub(super) fn resumed(before: bool) -> String {
    let text = if before {
        "workers claim jobs again"
    } else {
        "it was not paused: workers claim jobs as before"
    };
    text.to_owned() + "\n"
}

fn table_with_header(names: &[&str]) -> Table {
    let mut table = Table::new();
    table.set_header(names.iter().copied());
    table
}

fn align_right(table: &mut Table, columns: &[usize]) {
    for column in columns {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// A table's lines at their full width: cut or wrapped ids would be of no use.
fn lines(mut table: Table) -> String {
    table.load_style(presets::NOTHING);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt() + "\n"
}
