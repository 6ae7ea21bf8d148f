//! Logs: what a line shares with others is written once.
//!
//! | file | what |
//! |---|---|
//! | `detect` | tells whether a text is a log |
//! | `stamp` | finds the time that a line begins with |
//! | `times` | shortens times to what differs from the line above |
//! | `templates` | writes what lines of one kind share once |
//! | `kinds` | finds lines of one kind |
//! | `fields` | tells what may differ in them: words with digits |
//!
//! Only a text that is a log is touched, so that code stays as an agent must quote it.

pub(super) mod detect;
mod fields;
mod kinds;
mod stamp;
mod templates;
mod times;

pub(super) use templates::Templates;
pub(super) use times::Times;

use super::Deadline;
use super::text::Text;
use kinds::Kinds;

/// Which lines the forms of a log may hold in another shape; `None` where the text is no log.
pub(super) fn hidden(text: &Text<'_>, deadline: Deadline) -> Option<Vec<bool>> {
    let lines = text.lines();
    if !text.is_log(deadline) {
        return None;
    }
    let kinds = Kinds::of(lines, 0, deadline);
    let lines = lines.iter().enumerate();
    let hidden = lines.map(|(at, line)| kinds.has_others(at) || stamp::find(line).is_some());
    Some(hidden.collect())
}
