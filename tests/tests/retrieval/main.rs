//! The retrieval tool: its protocol by hand and by the official client, over both stores, and who may not ask.
#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]

mod calls;
mod client;
mod protocol;
mod refusals;

use std::time::Duration;

use headroom_shared::contract::id::{BlockId, OriginalId};
use headroom_shared::contract::prefix::Form;
use headroom_shared::store::{EmbeddedStore, Entry, Key, Store as _};
use headroom_tests::stage::Stage;
use tempfile::TempDir;

/// The id of the texts here.
const ID: &str = "3f2a9c0b7d1e4856";
/// The key of the texts here.
const KEY: &str = "headroom:original:3f2a9c0b7d1e4856";

/// A text as it stands between the quotes of a JSON string.
fn escaped(text: &str) -> String {
    Form::new(BlockId::from_bytes([0; 16]), text).text
}

/// A proxy over Redis that holds this text, for ten minutes more.
async fn over_redis(text: &str) -> Stage {
    let stage = Stage::with_redis(|launch| launch).await;
    put(&stage, &escaped(text)).await;
    stage
}

/// Puts this escaped text into Redis, for ten minutes.
async fn put(stage: &Stage, escaped: &str) {
    let set = ["SET", KEY, escaped, "PX", "600000"];
    stage.redis().command::<()>(&set).await;
}

/// A proxy over the embedded store that holds this text.
async fn embedded(text: &str) -> (Stage, TempDir) {
    let folder = TempDir::new().expect("a temporary folder");
    let original: OriginalId = ID.parse().expect("an id");
    let store = EmbeddedStore::open(folder.path(), Duration::from_secs(3600), 1 << 30);
    let entry = Entry::without_revisions(Key::Original(original), escaped(text).into());
    let store = store.expect("a store");
    store.write(&[entry]).await.expect("room");
    drop(store);
    let path = folder.path().display().to_string();
    let stage = Stage::embedded(|launch| launch.set("HEADROOM_DATA_DIR", path)).await;
    (stage, folder)
}
