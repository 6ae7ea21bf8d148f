//! Being told to stop.

use std::future::pending;

/// Waits until this process is told to stop: SIGTERM, or Ctrl-C. It is heard from this call on, not only once it is awaited: a
/// signal that nobody hears ends the process where it stands. Where the system does not tell, it waits for ever.
///
/// To be called within a Tokio runtime.
#[cfg(unix)]
pub fn signal() -> impl Future<Output = ()> + Send {
    use tokio::signal::unix::{Signal, SignalKind, signal};
    let heard = async |signal: std::io::Result<Signal>| match signal {
        Ok(mut signal) => drop(signal.recv().await),
        Err(_) => pending().await,
    };
    let interrupted = signal(SignalKind::interrupt());
    let terminated = signal(SignalKind::terminate());
    async move {
        tokio::select! {
            () = heard(interrupted) => {}
            () = heard(terminated) => {}
        }
    }
}

/// Waits until this process is told to stop: Ctrl-C. Where the system does not tell, it waits for ever.
#[cfg(not(unix))]
pub async fn signal() {
    if tokio::signal::ctrl_c().await.is_err() {
        pending().await
    }
}
