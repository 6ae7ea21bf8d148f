//! A proxy whose embedded store has hardly any room: its data folder is a small tmpfs of its own mount namespace.

use std::process::{Command, Stdio};

use headroom_tests::provider::Provider;
use headroom_tests::redis_server::RedisServer;
use headroom_tests::store_link::StoreLink;

use crate::say;
use crate::site::{Process, Replica, proxy};

/// Mounts the disk at the data folder and becomes the program that follows.
const SCRIPT: &str =
    "mount -t tmpfs -o size=512k none \"$HEADROOM_DATA_DIR\" && exec \"$0\" \"$@\"";

/// Starts it, or says aloud why it can't be.
pub(crate) async fn start(provider: &Provider, redis: &RedisServer) -> Option<Replica> {
    if !may_mount() {
        say("SKIPPED --disk: `unshare --mount` and a tmpfs in it need root on Linux");
        return None;
    }
    let launch = proxy(provider).through(&["unshare", "--mount", "sh", "-c", SCRIPT]);
    Some(Replica {
        process: Process::start("small disk", &launch).await,
        // It has no line to Redis. This one is never disturbed, and so nothing but its misses of the store counts.
        link: StoreLink::to(redis).await,
    })
}

fn may_mount() -> bool {
    let tried = Command::new("unshare")
        .args(["--mount", "sh", "-c", "mount -t tmpfs none /mnt"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    tried.is_ok_and(|status| status.success())
}
