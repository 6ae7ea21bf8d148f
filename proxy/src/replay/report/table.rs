//! A replay as a person at a terminal reads it.

use std::collections::{BTreeMap, BTreeSet};

use headroom_shared::runtime::terminal::sanitized;
use indicatif::HumanCount;

use super::Report;
use crate::replay::policy::Policy;
use crate::replay::session::Outcome;
use crate::replay::sources::{Source, Tokens};
use crate::tables;

/// How many rows of a table are shown; the rest is one row.
const ROWS: usize = 8;

/// What a replay came to, in words and tables.
pub(crate) fn table(report: &Report) -> String {
    let mut text = summary(report);
    let parts = [
        policies(report),
        sources(report, "by tool", |source| source.tool.clone()),
        sources(report, "by kind of form", |source| source.kind.to_owned()),
        sources(report, "by when it came into use", |source| {
            source.used.name().to_owned()
        }),
        tools(report),
        rest(report),
        unread(report),
    ];
    for part in parts.into_iter().flatten() {
        text.push('\n');
        text.push_str(&part);
    }
    text
}

/// The answer in a few lines.
fn summary(report: &Report) -> String {
    let (direct, headroom) = (report.usd(Policy::Direct), report.usd(Policy::Headroom));
    let sessions = match report.sessions.len() {
        1 => "This session".to_owned(),
        count => format!("These {} sessions", HumanCount(count as u64)),
    };
    let answer = format!(
        "{sessions} ({} requests) cost about {} of input; through headroom {} ({:.1} % less).",
        HumanCount(report.requests() as u64),
        dollars(direct),
        dollars(headroom),
        100.0 * (1.0 - report.ratio(Policy::Headroom)),
    );
    let bound = report.usd(Policy::Bound);
    let possible = (bound < direct).then(|| possible(direct, headroom, bound));
    let best_and_worst = report
        .best_and_worst()
        .filter(|_| report.sessions.len() > 1);
    let best_and_worst =
        best_and_worst.map(|(best, worst)| format!("Best: {}. Worst: {}.", at(best), at(worst)));
    let lines = [
        Some(answer),
        Some(dearer(report)),
        possible,
        best_and_worst,
        guessed(report),
    ];
    let lines = lines.into_iter().flatten();
    lines.map(|line| line + "\n").collect()
}

/// What lossless forms could do, beside what the proxy does, given the three bills: where it leaves out what a model can fetch again, it may do
/// more.
fn possible(direct: f64, headroom: f64, bound: f64) -> String {
    let beside = if headroom < bound {
        "what is left out besides, and can be fetched again, saves more".to_owned()
    } else {
        let reached = 100.0 * (direct - headroom) / (direct - bound);
        format!("headroom reaches {reached:.0} % of what that saves")
    };
    let bound = dollars(bound);
    format!(
        "With every lossless form in use from the first moment on it would be {bound}: {beside}."
    )
}

/// Whether a session costs more through the proxy.
fn dearer(report: &Report) -> String {
    let dearer: Vec<String> = report.dearer().map(at).collect();
    if dearer.is_empty() {
        return "None cost more through headroom.".to_owned();
    }
    format!("Dearer through headroom: {}.", dearer.join(", "))
}

/// What a session costs through the proxy.
fn at(session: &Outcome) -> String {
    let ratio = 100.0 * session.ratio(Policy::Headroom);
    let direct = dollars(session.usd(Policy::Direct));
    format!("{} at {ratio:.1} % of {direct}", sanitized(&session.id))
}

/// The models that are not in the table of prices.
fn guessed(report: &Report) -> Option<String> {
    let guessed = report.sessions.iter().filter(|session| session.is_guess);
    let models = guessed.map(|session| match session.model.as_str() {
        "" => "(not named)".to_owned(),
        model => sanitized(model),
    });
    let models: BTreeSet<String> = models.collect();
    let models: Vec<String> = models.into_iter().collect();
    let names = models.join(", ");
    (!models.is_empty()).then(|| {
        format!("Not in the table of prices, so by those of another model: {names} (--prices FILE adds them).")
    })
}

/// The policies beside each other.
fn policies(report: &Report) -> Option<String> {
    if report.policies.len() <= 3 {
        return None;
    }
    let mut rows: Vec<Policy> = report.policies.clone();
    rows.sort_by(|a, b| report.usd(*a).total_cmp(&report.usd(*b)));
    let rows = rows.into_iter().map(|policy| {
        vec![
            policy.name().to_owned(),
            dollars(report.usd(policy)),
            percent(report.ratio(policy)),
            percent(report.worst_ratio(policy)),
        ]
    });
    Some(rows_of(
        ["policy", "cost", "of direct", "dearest session"],
        rows,
    ))
}

/// The savings in parts.
fn sources(report: &Report, by: &str, name: impl Fn(&Source) -> String) -> Option<String> {
    let mut sums: BTreeMap<String, f64> = BTreeMap::new();
    for (source, usd) in &report.sources.usd {
        *sums.entry(name(source)).or_default() += usd;
    }
    let total: f64 = sums.values().sum();
    let mut rows: Vec<(String, f64)> = sums.into_iter().collect();
    rows.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    let rest: f64 = rows.iter().skip(ROWS).map(|(_, usd)| usd).sum();
    rows.truncate(ROWS);
    if rest > 0.0 {
        rows.push(("others".to_owned(), rest));
    }
    let rows = rows
        .into_iter()
        .map(|(name, usd)| vec![sanitized(&name), dollars(usd), percent(usd / total)]);
    (total > 0.0).then(|| rows_of([by, "saved", "of that"], rows))
}

/// What tools put out, and how much of that was removed.
fn tools(report: &Report) -> Option<String> {
    let mut tools: Vec<(&String, &Tokens)> = report.sources.tokens.iter().collect();
    tools.sort_by_key(|(_, tokens)| std::cmp::Reverse(tokens.original));
    let total = tools
        .iter()
        .fold(Tokens::default(), |sum, (_, tokens)| Tokens {
            original: sum.original + tokens.original,
            saved: sum.saved + tokens.saved,
        });
    let named = tools
        .into_iter()
        .take(ROWS)
        .map(|(tool, tokens)| (tool.as_str(), *tokens));
    let rows = named.chain([("all", total)]).map(|(tool, tokens)| {
        vec![
            sanitized(tool),
            HumanCount(tokens.original).to_string(),
            percent(tokens.saved as f64 / tokens.original.max(1) as f64),
        ]
    });
    (total.original > 0).then(|| rows_of(["results of", "tokens", "removed"], rows))
}

/// What stood in the way of more.
fn rest(report: &Report) -> Option<String> {
    let originals = report.sources.skipped.iter().map(|(reason, count)| {
        vec![
            skip_in_words(reason).to_owned(),
            HumanCount(*count).to_string(),
        ]
    });
    let waits = |reason: &&'static str| !reason.starts_with("landed");
    let landings = report.sources.landings.iter();
    let landings = landings
        .filter(|(reason, _)| waits(reason))
        .map(|(reason, count)| {
            vec![
                landing_in_words(reason).to_owned(),
                HumanCount(*count).to_string(),
            ]
        });
    let rows: Vec<Vec<String>> = originals.chain(landings).collect();
    (!rows.is_empty()).then(|| rows_of(["what stands in the way of the rest", "times"], rows))
}

fn skip_in_words(reason: &str) -> &str {
    match reason {
        "no_gain" => "results that no form makes shorter",
        "floor" => "results that a form makes too little shorter",
        "unsure" => "results that the provider may have cached before headroom saw them",
        "references_off" => "results that could only refer to what the provider may drop",
        other => other,
    }
}

fn landing_in_words(reason: &str) -> &str {
    match reason {
        "warm" => "requests before which a worker's result waited: the provider's cache was alive",
        "no_result" => "requests before which a worker was not done yet",
        "bound" => "requests whose thinking is bound to what a result would change",
        other => other,
    }
}

/// What could not be read; `None` where all was.
pub(crate) fn unread(report: &Report) -> Option<String> {
    let reasons = report.skipped.lines.iter();
    let reasons = reasons.map(|(reason, count)| format!("  {} {reason}\n", HumanCount(*count)));
    let files = report.skipped.files.iter().take(ROWS);
    let files = files.map(|(file, reason)| {
        let file = file.display().to_string();
        format!("  {} {}\n", sanitized(&file), sanitized(reason))
    });
    let more = report.skipped.files.len().saturating_sub(ROWS);
    let more = (more > 0).then(|| format!("  and {} more files\n", HumanCount(more as u64)));
    let all: String = reasons.chain(files).chain(more).collect();
    (!all.is_empty()).then(|| format!("Not read:\n{all}"))
}

/// A table whose columns but the first are numbers.
fn rows_of<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = Vec<String>>,
) -> String {
    let mut table = tables::table(&header, 1..N);
    table.add_rows(rows);
    table.trim_fmt() + "\n"
}

fn percent(part: f64) -> String {
    format!("{:.1} %", 100.0 * part)
}

/// Money with as many decimal places as it takes.
fn dollars(usd: f64) -> String {
    if usd.abs() >= 100.0 {
        format!("${usd:.0}")
    } else if usd.abs() >= 1.0 {
        format!("${usd:.2}")
    } else {
        format!("${usd:.4}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_all_of_what_is_possible_is_reached() {
        for (headroom, said) in [
            (9.0, "$8.00: headroom reaches 50 % of what that saves."),
            (8.0, "$8.00: headroom reaches 100 % of what that saves."),
            (
                7.0,
                "$8.00: what is left out besides, and can be fetched again, saves more.",
            ),
        ] {
            let line = possible(10.0, headroom, 8.0);
            assert!(line.ends_with(said), "{line}");
        }
    }
}
