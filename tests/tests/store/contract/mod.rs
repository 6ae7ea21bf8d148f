//! What every store promises, run over each of them, and the faults each must survive.
#![expect(clippy::unwrap_used, reason = "tests")]

mod cases;
mod file_faults;
mod redis_faults;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use headroom_shared::contract::id::{FormId, PrefixId};
use headroom_shared::contract::keys::Keys;
use headroom_shared::store::{EmbeddedStore, Entry, Key, Life, RedisStore, Store};
use headroom_tests::redis_server::RedisServer;
use headroom_tests::wait::until;

/// Long enough for Redis to count as away or back, and for an entry to expire.
const IN_TIME: Duration = Duration::from_secs(20);
/// Room for all that a test writes.
const MAX_BYTES: u64 = 1 << 30;
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// Where stores are opened, one after the other, on the same data.
trait Place {
    fn open(&self, retention: Duration) -> Arc<dyn Store>;
}

impl Place for RedisServer {
    fn open(&self, retention: Duration) -> Arc<dyn Store> {
        Arc::new(redis_store(self, retention))
    }
}

impl Place for tempfile::TempDir {
    fn open(&self, retention: Duration) -> Arc<dyn Store> {
        Arc::new(EmbeddedStore::open(self.path(), retention, MAX_BYTES).unwrap())
    }
}

fn redis_store(server: &RedisServer, retention: Duration) -> RedisStore {
    RedisStore::new(
        &server.url().parse().unwrap(),
        Keys::new("headroom"),
        retention,
    )
}

fn form(name: &str) -> Key {
    Key::Form(FormId::from_bytes(id(name)))
}

fn sent(name: &str) -> Key {
    Key::Sent(PrefixId::from_bytes(id(name)))
}

fn compressed(name: &str) -> Key {
    Key::Compressed(PrefixId::from_bytes(id(name)))
}

fn id(name: &str) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    bytes
}

fn entry(key: Key, rev: u32, value: impl Into<Bytes>) -> Entry {
    Entry {
        rev,
        ..Entry::without_revisions(key, value.into())
    }
}

/// A record of this revision, as far as a store looks into it.
fn record(name: &str, rev: u32) -> Entry {
    entry(sent(name), rev, format!(r#"{{"v":1,"rev":{rev}}}"#))
}

async fn read_one(store: &dyn Store, key: Key) -> Option<Bytes> {
    store.read(&[key]).await.unwrap().remove(0)
}
