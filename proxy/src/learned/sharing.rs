//! Adds what this proxy has counted to the counts in the store, and takes over what others have added.

use std::time::Duration;

use headroom_shared::runtime::clock::now_ms;
use headroom_shared::store::{Entry, Key, Store, StoreError};
use tokio_util::sync::CancellationToken;

use super::counts::Unreadable;
use super::{Learned, LearnedCounts};

/// How often that is.
const INTERVAL: Duration = Duration::from_secs(60);
/// How long a stop may wait for the last time.
const AT_STOP: Duration = Duration::from_secs(1);

/// Shares what is learned again and again until `stop`, and once more then.
///
/// Where two proxies write at the same moment, one of them overwrites what the other has added in the last minute: of many requests a few are
/// not counted.
pub(crate) async fn share_until(learned: Learned, store: &dyn Store, stop: CancellationToken) {
    loop {
        share(&learned, store).await;
        let pause = tokio::time::sleep(INTERVAL);
        if stop.run_until_cancelled(pause).await.is_none() {
            break;
        }
    }
    if tokio::time::timeout(AT_STOP, share(&learned, store))
        .await
        .is_err()
    {
        tracing::debug!("what was learned in the last minute is lost: the store does not answer");
    }
}

async fn share(learned: &Learned, store: &dyn Store) {
    let added = learned.take_unshared();
    match add_to_store(&added, store).await {
        Ok(stored) => learned.take_over(stored),
        Err(error) => {
            learned.give_back(&added);
            tracing::debug!(%error, "what is learned could not be shared: it is tried again");
        }
    }
}

/// Adds these to the counts in the store. Gives all of them; `None` where the store has those of a proxy of another version.
async fn add_to_store(
    added: &LearnedCounts,
    store: &dyn Store,
) -> Result<Option<LearnedCounts>, StoreError> {
    let stored = store.read(&[Key::Learned]).await?.pop().flatten();
    let mut counts = match stored.map(|value| LearnedCounts::from_stored(&value)) {
        None => LearnedCounts::default(),
        Some(Ok(counts)) => counts,
        Some(Err(Unreadable::OtherVersion(version))) => {
            tracing::debug!(version, "the store's counts are those of another version");
            return Ok(None);
        }
        Some(Err(Unreadable::Damaged)) => {
            tracing::warn!("what the store has in place of counts can't be read: they begin anew");
            LearnedCounts::default()
        }
    };
    if !added.is_empty() {
        counts.add(added, now_ms());
        let value = counts.to_stored().into();
        let entry = Entry::without_revisions(Key::Learned, value);
        store.write(&[entry]).await?;
    }
    Ok(Some(counts))
}
