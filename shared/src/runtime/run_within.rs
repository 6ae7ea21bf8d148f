//! Work that is not waited for longer than a given time.

use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

/// Does work on a thread of its own, and waits for its end no longer than `limit`.
///
/// # Errors
/// When the system gives no thread: then the work is dropped.
pub(crate) fn run_within(
    limit: Duration,
    work: impl FnOnce() + Send + 'static,
) -> std::io::Result<()> {
    let (done, is_done) = channel();
    thread::Builder::new().spawn(move || {
        work();
        let _ = done.send(());
    })?;
    let _ = is_done.recv_timeout(limit);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn work_that_ends_is_waited_for_and_other_work_is_not() {
        let (said, says) = channel();
        run_within(Duration::from_secs(60), move || said.send(1).unwrap()).unwrap();
        assert_eq!(says.try_recv(), Ok(1));

        let (never, stalled) = channel::<()>();
        run_within(Duration::from_millis(1), move || {
            let _ = stalled.recv();
        })
        .unwrap();
        drop(never);
    }
}
