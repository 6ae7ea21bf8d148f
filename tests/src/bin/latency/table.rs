//! The report for people.

use comfy_table::Table;
use headroom_tests::report::table;

use crate::bodies::Texts;
use crate::figures::Report;
use crate::targets::{Build, Store, Target};

const FOOTER: &str = "\
added        µs over the direct connection of the same round: medians over the rounds (p99: over all requests)
to nginx     what is added in the median, over what nginx adds (request buffering on): the median of the rounds' ratios, and
             between which two values half of them lie; p99 likewise
cpu          µs of CPU time of the target's process a request
rss          the most memory that process ever had";

/// Tables of all that was measured.
pub(crate) fn of(report: &Report, texts: &Texts) -> String {
    let mut text = format!("bodies: {}", texts.name());
    if !report.own_core {
        text.push_str("\nnote: the targets had no core of their own (one core, or no `taskset`)");
    }
    if cfg!(debug_assertions) {
        text.push_str("\nnote: a build without optimisation; use --release for true times");
    }
    text.push_str(&format!("\n\n{}\n{FOOTER}", requests(report)));
    for idle in &report.idle {
        text.push_str(&format!(
            "\nidle proxy{} over {}: {:.1} MB",
            baseline(idle.build),
            store(Some(idle.store)),
            idle.rss_mb
        ));
    }
    if !report.streams.is_empty() {
        text.push_str(&format!("\n\n{}", streams(report)));
    }
    if !report.distance.is_empty() {
        text.push_str(&format!("\n\n{}", distance(report)));
    }
    text
}

fn requests(report: &Report) -> Table {
    let mut table = table(
        &[
            "body",
            "conns",
            "target",
            "store",
            "p50",
            "added p50",
            "p90",
            "p99",
            "to nginx",
            "half within",
            "p99 to nginx",
            "req/s",
            "cpu",
            "rss",
        ],
        0,
    );
    let mut last = None;
    for row in &report.rows {
        let cell = (row.body_bytes, row.connections);
        if last.is_some_and(|last| last != cell) {
            table.add_row([""]);
        }
        last = Some(cell);
        let ratio = |ratio: Option<f64>| {
            ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"))
        };
        table.add_row([
            row.body_bytes.to_string(),
            row.connections.to_string(),
            name(row.target, row.build),
            store(row.store).to_owned(),
            format!("{:.0}", row.p50_us),
            format!("{:.0}", row.added_p50_us),
            format!("{:.0}", row.added_p90_us),
            format!("{:.0}", row.added_p99_us),
            ratio(row.ratio_to_nginx),
            row.ratio_quartiles.map_or_else(
                || "-".to_owned(),
                |[low, high]| format!("{low:.2}–{high:.2}"),
            ),
            ratio(row.p99_ratio_to_nginx),
            format!("{:.0}", row.rps),
            format!("{:.0}", row.cpu_ms * 1e3),
            format!("{:.1} MB", row.rss_mb),
        ]);
    }
    table
}

fn streams(report: &Report) -> Table {
    let mut table = table(
        &[
            "streams",
            "target",
            "first byte p50",
            "p99",
            "chunk p50",
            "p99",
            "added: first byte p50",
            "p99",
            "chunk p50",
            "p99",
            "rss",
        ],
        0,
    );
    for row in &report.streams {
        let micros = |value: f64| format!("{value:.0}");
        table.add_row([
            row.streams.to_string(),
            name(row.target, row.build),
            micros(row.first_byte_p50_us),
            micros(row.first_byte_p99_us),
            micros(row.chunk_p50_us),
            micros(row.chunk_p99_us),
            micros(row.added_first_byte_p50_us),
            micros(row.added_first_byte_p99_us),
            micros(row.added_chunk_p50_us),
            micros(row.added_chunk_p99_us),
            format!("{:.1} MB", row.rss_mb),
        ]);
    }
    table
}

fn distance(report: &Report) -> Table {
    let mut table = table(&["after a pause", "body", "round trip", "p50", "worst"], 0);
    for row in &report.distance {
        table.add_row([
            row.target.clone(),
            row.body_bytes.to_string(),
            format!("{} ms", row.rtt_ms),
            format!("{:.1} ms", row.p50_ms),
            format!("{:.1} ms", row.worst_ms),
        ]);
    }
    table
}

fn name(target: Target, build: Build) -> String {
    let name = match target {
        Target::Direct => "direct",
        Target::Nginx => "nginx",
        Target::Off => "off",
        Target::KnownPrefix => "known-prefix",
        Target::HalfReplaced => "half-replaced",
        Target::Deferred => "deferred",
    };
    format!("{name}{}", baseline(build))
}

const fn baseline(build: Build) -> &'static str {
    match build {
        Build::This => "",
        Build::Baseline => " (baseline)",
    }
}

const fn store(store: Option<Store>) -> &'static str {
    match store {
        None => "-",
        Some(Store::Redis) => "redis",
        Some(Store::Embedded) => "embedded",
    }
}
