//! The signal to stop: SIGTERM or Ctrl-C.

use std::future::pending;

use tokio_util::sync::CancellationToken;

/// Does work that ends soon after `stop`, which the first signal cancels. `None` where a second one came before it had ended.
///
/// To be called within a Tokio runtime.
pub async fn until_second_signal<T>(
    work: impl Future<Output = T>,
    stop: CancellationToken,
) -> Option<T> {
    let mut work = std::pin::pin!(work);
    let first = signal();
    tokio::select! {
        ended = &mut work => return Some(ended),
        () = first => stop.cancel(),
    }
    tokio::select! {
        ended = work => Some(ended),
        () = signal() => None,
    }
}

/// Waits for SIGTERM or Ctrl-C. Signals are caught from this call on, not only once it is awaited: an uncaught one ends the process at
/// once. Where the system can't report signals, it waits for ever.
///
/// To be called within a Tokio runtime.
#[cfg(unix)]
pub fn signal() -> impl Future<Output = ()> + Send {
    use tokio::signal::unix::{Signal, SignalKind, signal};
    let received = async |signal: std::io::Result<Signal>| match signal {
        Ok(mut signal) => drop(signal.recv().await),
        Err(_) => pending().await,
    };
    let interrupted = signal(SignalKind::interrupt());
    let terminated = signal(SignalKind::terminate());
    async move {
        tokio::select! {
            () = received(interrupted) => {}
            () = received(terminated) => {}
        }
    }
}

/// Waits for Ctrl-C. Where the system can't report it, it waits for ever.
#[cfg(not(unix))]
pub async fn signal() {
    if tokio::signal::ctrl_c().await.is_err() {
        pending().await
    }
}
