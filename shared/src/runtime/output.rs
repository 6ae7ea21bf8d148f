//! Standard output, whose reader may have ended, such as `head` in `| head`.

use std::error::Error;
use std::io::{self, Write as _, stdout};

/// Prints what a command was asked for. A reader that has ended has seen enough.
///
/// # Errors
/// When it can't be written for another reason.
pub fn print(text: &str) -> io::Result<()> {
    match stdout().lock().write_all(text.as_bytes()) {
        Err(error) if is_broken_pipe(&error) => Ok(()),
        written => written,
    }
}

/// Whether something was not written because its reader has ended.
#[must_use]
pub fn is_broken_pipe(error: &(dyn Error + 'static)) -> bool {
    let io = error.downcast_ref::<io::Error>();
    io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
