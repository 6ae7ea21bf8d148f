//! A proxy whose embedded store has hardly any room: its data folder is a small tmpfs of its own mount namespace.

use std::process::{Command, Stdio};

use anyhow::ensure;
use headroom_tests::provider::Provider;
use headroom_tests::redis_server::RedisServer;
use headroom_tests::store_link::StoreLink;

use crate::site::{Process, Replica, proxy};

/// Mounts the disk at the data folder and becomes the program that follows.
const SCRIPT: &str =
    "mount -t tmpfs -o size=512k none \"$HEADROOM_DATA_DIR\" && exec \"$0\" \"$@\"";

/// Whether it can be started here.
///
/// # Errors
/// When it can't, and why.
pub(crate) fn is_possible() -> anyhow::Result<()> {
    let tried = Command::new("unshare")
        .args(["--mount", "sh", "-c", "mount -t tmpfs none /mnt"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    ensure!(
        tried.is_ok_and(|status| status.success()),
        "--disk can't be done here: `unshare --mount` and a tmpfs in it need root on Linux"
    );
    Ok(())
}

/// Starts it.
pub(crate) async fn start(provider: &Provider, redis: &RedisServer) -> Replica {
    let launch = proxy(provider).through(&["unshare", "--mount", "sh", "-c", SCRIPT]);
    Replica {
        process: Process::start("small disk", &launch).await,
        // It has no line to Redis. This one is never disturbed, and so nothing but its misses of the store counts.
        link: StoreLink::to(redis).await,
    }
}
