//! Replaces lines that appear word for word earlier in the same prefix by one line that says where.

pub(super) mod mark;
pub(super) mod target;
pub(super) mod window;

use std::ops::Range;

use super::lines::replaced;
use super::lookup::Line;
use super::search::is_search;
use super::size::{LINE_BREAK, cost};
use super::text::Text;
use super::tokens::Tokens;
use super::{Compressor, Context, Earlier, each_line, push_line, with_header};
use mark::{is_mark, write_lines};
use target::Target;
use window::Window;

const HEADER: &str = "\"[lines A-B of …]\": the same lines, word for word, as there";

/// What a reference must save, so that it is worth the model's looking it up.
const MIN_GAIN: Tokens = Tokens::whole(24);

/// In search results, fewer lines are left where they are.
const MIN_SEARCH_LINES: usize = 6;

pub(super) struct References;

impl Compressor for References {
    fn compress(&self, text: &Text<'_>, context: Context<'_>) -> Option<String> {
        let earlier = context.earlier;
        if earlier.has_no_lines() {
            return None;
        }
        let lines = &text.lines;
        let mut found = find(lines, text.windows(earlier.deadline), context);
        let is_short = |found: &Reference| found.count < MIN_SEARCH_LINES;
        if found.iter().any(is_short) && is_search(text, earlier.deadline) {
            found.retain(|found| !is_short(found));
        }
        if found.is_empty() || lines.iter().any(|line| is_mark(line)) {
            return None;
        }
        let found = found.into_iter().map(|it| (it.lines(), it));
        let body = replaced(lines, found, |body, reference| {
            push_line(body, &[&reference.mark(lines, earlier)?]);
            Some(())
        })?;
        Some(with_header(HEADER, &body))
    }

    fn expand(&self, header: &str, body: &str, earlier: &Earlier) -> Option<String> {
        if header != HEADER {
            return None;
        }
        let mut text = String::with_capacity(body.len());
        for line in each_line(body) {
            if is_mark(line) {
                write_lines(&mut text, line, earlier)?;
            } else {
                push_line(&mut text, &[line]);
            }
        }
        text.pop();
        Some(text)
    }
}

/// A run of lines and where it appears earlier.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reference {
    at: usize,
    count: usize,
    source: Line,
}

impl Reference {
    /// The lines of the text that it replaces.
    pub(super) fn lines(&self) -> Range<usize> {
        self.at..self.at + self.count
    }

    fn mark(&self, lines: &[&str], earlier: &Earlier) -> Option<String> {
        let first = self.source.line as usize;
        let block = earlier.block(self.source.block)?;
        let names = block.line_names(first..first + self.count)?;
        mark::mark(&lines[self.lines()], names, self.source.block, earlier)
    }
}

/// The runs of lines of a text that appear earlier, each the longest that its beginning has. Linear: what has been compared is not
/// compared with the same lines again.
pub(super) fn find(lines: &[&str], windows: &[Window], context: Context<'_>) -> Vec<Reference> {
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
            .reduce(|best, next| if next.count > best.count { next } else { best });
        let Some(reference) = best else { continue };
        compared = reference.lines().end;
        if is_worth(&reference, lines, (target, earlier)) {
            done = compared;
            found.push(reference);
        }
    }
    found
}

fn is_worth(
    reference: &Reference,
    lines: &[&str],
    (target, earlier): (Target<'_>, &Earlier),
) -> bool {
    let replaced = &lines[reference.lines()];
    let bytes: usize = replaced.iter().map(|line| line.len() + 1).sum();
    bytes >= target.min_bytes(reference.source, earlier)
        && cost_at_least(replaced, MIN_GAIN + LINE_BREAK)
        && reference
            .mark(lines, earlier)
            .is_some_and(|mark| cost_at_least(replaced, cost(&mark) + LINE_BREAK + MIN_GAIN))
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
) -> Option<Reference> {
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
    Some(Reference {
        at: at - back,
        count: back + ahead,
        source: Line {
            line: u32::try_from(first - back).ok()?,
            ..source
        },
    })
}
