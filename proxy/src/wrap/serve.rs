//! The proxy that `wrap` starts: it serves for as long as any `wrap` uses it.

use std::io::Write as _;

use tokio_util::sync::CancellationToken;

use super::lease;
use crate::running::Published;
use crate::settings::Settings;
use crate::{listen, run_until_stopped, serve_with};

/// Serves on a free port of loopback, which it prints, until nobody has a lease any more or a signal asks it to stop, and drains then.
///
/// # Errors
/// When it can't begin to serve.
pub fn serve(settings: Settings) -> anyhow::Result<()> {
    serve_with(settings, start)
}

async fn start(settings: Settings) -> anyhow::Result<()> {
    let folder = settings.limits.data_folder()?;
    let listener = listen(&settings).await?;
    let address = listener.local_addr()?;
    let stop = CancellationToken::new();
    lease::cancel_when_unused(&folder, stop.clone())?;
    // One with the embedded store is found by its folder anyway.
    let is_shared = settings.store.redis_url.is_some();
    let _published = is_shared.then(|| Published::in_folder(&folder, address, None));
    let show = move |text: String| {
        // For who reads the file that the log goes to.
        let _ = writeln!(std::io::stderr(), "{text}");
        // This is how `wrap` learns the address.
        let _ = writeln!(std::io::stdout(), "http://{address}");
    };
    run_until_stopped(settings, listener, show, stop).await
}
