//! Panics are reported without their messages: those of string functions quote the string, which here is part of a prompt.

use std::cell::{Cell, RefCell};

thread_local! {
    static IN_JOB: Cell<bool> = const { Cell::new(false) };
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// From now on a panic in this process is logged by its place alone. For a program's `main`.
pub fn hide_messages() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string);
        if IN_JOB.get() {
            PLACE.set(place);
        } else {
            tracing::error!(panic.place = place, "panicked");
        }
    }));
}

/// Calls `run`. If it panics, the error is the place of the panic, known where [`hide_messages`] was called.
pub(crate) fn catch<T>(run: impl FnOnce() -> T) -> Result<T, Option<String>> {
    IN_JOB.set(true);
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
    IN_JOB.set(false);
    // The payload of the panic is dropped unseen.
    result.map_err(|_| PLACE.take())
}
