//! Logs: what a line shares with others is written once.
//!
//! | file | what |
//! |---|---|
//! | `stamp` | finds the time that a line begins with |
//! | `times` | shortens times to what differs from the line above |
//! | `templates` | writes what lines of one kind share once |
//! | `kinds` | finds lines of one kind |
//! | `fields` | tells what may differ in them: words with digits |
//!
//! Only a text that is a log is touched, so that code stays as an agent must quote it.

mod fields;
mod kinds;
mod stamp;
mod templates;
mod times;

pub(super) use templates::Templates;
pub(super) use times::Times;

use super::Deadline;
use kinds::Kinds;

/// A text with one time in so many lines, or more, is a log: some write many lines below each time.
const MAX_LINES_A_TIME: usize = 40;

/// Once so many lines too many are without a time, a text is no log, whatever follows.
const MAX_LINES_BEFORE: usize = 400;

/// The fewest lines with a time.
const MIN_TIMES: usize = 3;

/// Whether these are the lines of a log.
fn is_log(lines: &[&str], deadline: Deadline) -> bool {
    let (mut times, mut all) = (0, 0);
    for line in deadline.limit(lines) {
        all += 1;
        times += usize::from(stamp::find(line).is_some());
        if all > times * MAX_LINES_A_TIME + MAX_LINES_BEFORE {
            return false;
        }
    }
    times >= MIN_TIMES && times * MAX_LINES_A_TIME >= all
}

/// Which lines the forms of a log may hold in another shape; `None` where the text is no log.
pub(super) fn hidden(lines: &[&str], deadline: Deadline) -> Option<Vec<bool>> {
    if !is_log(lines, deadline) {
        return None;
    }
    let kinds = Kinds::of(lines, 0, deadline);
    let lines = lines.iter().enumerate();
    let hidden = lines.map(|(at, line)| kinds.has_others(at) || stamp::find(line).is_some());
    Some(hidden.collect())
}
