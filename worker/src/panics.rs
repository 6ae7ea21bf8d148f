//! Panics without their messages: those of string code quote the string, which here is somebody's prompt.

use std::cell::{Cell, RefCell};

thread_local! {
    static IN_A_JOB: Cell<bool> = const { Cell::new(false) };
    static WHERE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// From now on a panic in this process is logged by its place alone. For a program's `main`.
pub fn hide_messages() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string);
        if IN_A_JOB.get() {
            WHERE.set(place);
        } else {
            tracing::error!(panic.place = place, "panicked");
        }
    }));
}

/// Runs `work`; the place of its panic if it panics and places are known.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, Option<String>> {
    IN_A_JOB.set(true);
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    IN_A_JOB.set(false);
    // The payload of the panic is dropped unseen.
    ended.map_err(|_| WHERE.take())
}
