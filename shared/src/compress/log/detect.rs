//! Tells whether a text is a log.

use super::stamp;
use crate::compress::Deadline;

/// A text with one time in so many lines, or more, is a log: some write many lines below each time.
const MAX_LINES_A_TIME: usize = 40;

/// Once so many lines too many are without a time, a text is no log, whatever follows.
const MAX_LINES_BEFORE: usize = 400;

/// The fewest lines with a time.
const MIN_TIMES: usize = 3;

/// Whether a text, given as a whole and as its lines, is a log.
pub(in crate::compress) fn is_log(whole: &str, lines: &[&str], deadline: Deadline) -> bool {
    let has_clocks = stamp::has_clocks(whole);
    let (mut times, mut all) = (0, 0);
    for line in deadline.limit(lines) {
        all += 1;
        times += usize::from(stamp::find_in(line, has_clocks).is_some());
        if all > times * MAX_LINES_A_TIME + MAX_LINES_BEFORE {
            return false;
        }
    }
    times >= MIN_TIMES && times * MAX_LINES_A_TIME >= all
}
