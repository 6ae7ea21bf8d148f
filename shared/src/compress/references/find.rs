//! Which lines of a text appear word for word earlier, and the lines that say where.

use std::ops::Range;

use super::mark;
use super::target::Target;
use super::window::Window;
use crate::compress::lookup::Line;
use crate::compress::size::{LINE_BREAK, cost};
use crate::compress::tokens::Tokens;
use crate::compress::{Context, Earlier};

/// What a reference must save, so that it is worth the model's looking it up.
const MIN_GAIN: Tokens = Tokens::whole(24);

/// A line that says where lines of a text appear earlier.
#[derive(Debug, Clone)]
pub(in crate::compress) struct Reference {
    /// The lines of the text that it replaces.
    pub(in crate::compress) lines: Range<usize>,
    pub(super) mark: String,
}

/// A run of lines of a text, and where it appears earlier.
#[derive(Debug)]
struct Run {
    lines: Range<usize>,
    source: Line,
}

/// The runs of lines of a text that appear earlier, each the longest that its beginning has. Linear: what has been compared is not
/// compared with the same lines again.
pub(in crate::compress) fn find(
    lines: &[&str],
    windows: &[Window],
    context: Context<'_>,
) -> Vec<Reference> {
    let Context { earlier, call } = context;
    let target = Target::of(lines, call);
    let mut found = Vec::new();
    let (mut done, mut compared) = (0, 0);
    for window in earlier.deadline.limit(windows) {
        if window.line < compared {
            continue;
        }
        let best = earlier
            .find_window(window.hash)
            .filter(|source| target.allows(*source, earlier))
            .filter_map(|source| extend(lines, window.line, done, source, (target, earlier)))
            .reduce(|best, next| match next.lines.len() > best.lines.len() {
                true => next,
                false => best,
            });
        let Some(run) = best else { continue };
        compared = run.lines.end;
        if let Some(mark) = mark_if_worth(&run, lines, (target, earlier)) {
            done = compared;
            let lines = run.lines;
            found.push(Reference { lines, mark });
        }
    }
    found
}

/// The line that may stand for a run, if it saves enough.
fn mark_if_worth(
    run: &Run,
    lines: &[&str],
    (target, earlier): (Target<'_>, &Earlier),
) -> Option<String> {
    let replaced = &lines[run.lines.clone()];
    let bytes: usize = replaced.iter().map(|line| line.len() + 1).sum();
    let is_enough = bytes >= target.min_bytes(run.source, earlier)
        && cost_at_least(replaced, MIN_GAIN + LINE_BREAK);
    if !is_enough {
        return None;
    }
    let Line { block, line } = run.source;
    let first = line as usize;
    let names = earlier
        .block(block)?
        .line_names(first..first + replaced.len())?;
    let mark = mark::mark(replaced, names, block, earlier)?;
    cost_at_least(replaced, cost(&mark) + LINE_BREAK + MIN_GAIN).then_some(mark)
}

/// Whether these lines cost so much: looks at no more of them than it takes to tell.
fn cost_at_least(lines: &[&str], min: Tokens) -> bool {
    let mut sum = Tokens::default();
    lines.iter().any(|line| {
        sum = sum + cost(line) + LINE_BREAK;
        sum >= min
    })
}

/// The longest run around `at` that is equal to the lines around `source`, not reaching back before `done`.
fn extend(
    lines: &[&str],
    at: usize,
    done: usize,
    source: Line,
    (target, earlier): (Target<'_>, &Earlier),
) -> Option<Run> {
    let block = earlier.block(source.block)?;
    let first = source.line as usize;
    let equal = |at: usize, line: usize| {
        let shown = block.shown(line);
        shown.is_some_and(|shown| {
            lines.get(at).is_some_and(|line| *line == shown) && target.may_replace(shown)
        })
    };
    let back = (1..=(at - done).min(first))
        .take_while(|back| equal(at - back, first - back))
        .count();
    let ahead = (0..lines.len() - at)
        .take_while(|ahead| equal(at + ahead, first + ahead))
        .count();
    (ahead > 0).then_some(())?;
    Some(Run {
        lines: at - back..at + ahead,
        source: Line {
            line: u32::try_from(first - back).ok()?,
            ..source
        },
    })
}
