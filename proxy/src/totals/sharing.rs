//! Adds what this proxy has counted to the counts in the store, and takes over what others have added.

use std::time::Duration;

use headroom_shared::runtime::clock::now_ms;
use headroom_shared::store::{Entry, Key, Store, StoreError};
use tokio_util::sync::CancellationToken;

use super::DeploymentTotals;
use super::counts::{Counts, Unusable};

/// How often that is.
const INTERVAL: Duration = Duration::from_secs(60);
/// How long a stop may wait for the last time.
const AT_STOP: Duration = Duration::from_secs(3);

/// Adds up again and again until `stop`, and once more then.
pub(crate) async fn share_until(
    totals: DeploymentTotals,
    store: &dyn Store,
    stop: CancellationToken,
) {
    let again_and_again = async {
        // Proxies that start together do not write together.
        let mut pause = INTERVAL.mul_f64(fastrand::f64());
        log_failure(share(&totals, store).await);
        loop {
            tokio::time::sleep(pause).await;
            pause = INTERVAL;
            // A store that nobody uses otherwise is left alone: it may want to tidy up.
            if !totals.is_shared() {
                log_failure(share(&totals, store).await);
            }
        }
    };
    stop.run_until_cancelled(again_and_again).await;
    if totals.is_shared() {
        return;
    }
    match tokio::time::timeout(AT_STOP, share(&totals, store)).await {
        Ok(shared) => log_failure(shared),
        Err(_) => tracing::debug!(
            "what was counted last is not added to the totals: the store is too slow"
        ),
    }
}

fn log_failure(shared: Result<(), StoreError>) {
    if let Err(error) = shared {
        tracing::debug!(%error, "the totals could not be shared");
    }
}

/// Adds up once.
///
/// Where two proxies do that at the same moment, one of them overwrites what the other adds. A write that may have been made although it
/// failed is not repeated. So a few requests may not be counted, and none is counted twice.
async fn share(totals: &DeploymentTotals, store: &dyn Store) -> Result<(), StoreError> {
    if store.evicts().is_some() {
        // It may drop what it is given at any time.
        return Ok(());
    }
    let stored = store.read(&[Key::Totals]).await?.pop().flatten();
    let stored = match stored.map(|value| Counts::from_stored(&value)) {
        None => None,
        Some(Ok(counts)) => Some(counts),
        Some(Err(Unusable::Newer(version))) => {
            tracing::debug!(
                version,
                "the totals are not shared: the store has those of newer proxies"
            );
            return Ok(());
        }
        Some(Err(Unusable::Damaged)) => {
            tracing::warn!(
                "what the store has under `totals` can't be read: something else has written there, and the next totals replace it"
            );
            None
        }
    };
    let Some((counts, new)) = totals.merge(stored, now_ms()) else {
        return Ok(());
    };
    let entry = Entry::without_revisions(Key::Totals, counts.to_stored().into());
    let written = store.write(&[entry]).await;
    if written.as_ref().is_err_and(StoreError::is_not_made) {
        totals.give_back(new, now_ms());
    }
    written
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use bytes::Bytes;
    use headroom_shared::contract::id::DigestKey;
    use headroom_shared::redis::Full;
    use headroom_shared::store::Life;

    use super::super::continuations::Continuations;
    use super::*;

    /// A store of one value.
    #[derive(Debug, Default)]
    struct OneValue {
        value: Mutex<Option<Bytes>>,
        refuses_reads: bool,
        refuses_writes: bool,
    }

    #[async_trait]
    impl Store for OneValue {
        async fn digest_key(&self) -> Result<DigestKey, StoreError> {
            Ok(DigestKey::from_bytes([7; 32]))
        }

        async fn read(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError> {
            assert_eq!(keys, [Key::Totals]);
            if self.refuses_reads {
                return Err(StoreError::timeout("reading", Duration::ZERO));
            }
            Ok(vec![self.value.lock().unwrap().clone()])
        }

        async fn lives(&self, _: &[Key]) -> Result<Vec<Option<Life>>, StoreError> {
            Ok(Vec::new())
        }

        async fn write(&self, entries: &[Entry]) -> Result<(), StoreError> {
            *self.value.lock().unwrap() = Some(entries[0].value.clone());
            if self.refuses_writes {
                return Err(StoreError::timeout("writing", Duration::ZERO));
            }
            Ok(())
        }

        async fn touch(&self, _: &[Key]) -> Result<Vec<bool>, StoreError> {
            Ok(Vec::new())
        }

        async fn remove_provisional(&self, _: &[Key]) -> Result<(), StoreError> {
            Ok(())
        }

        async fn ping(&self) -> Result<Option<Full>, StoreError> {
            Ok(None)
        }
    }

    const DIALECT: &str = "openai.chat";

    fn count(totals: &DeploymentTotals, requests: usize) {
        for _ in 0..requests {
            totals.add_continuation(DIALECT, &Continuations::of_request(3, None));
        }
    }

    fn requests(totals: &DeploymentTotals) -> u64 {
        totals.continuations(DIALECT).requests()
    }

    #[tokio::test]
    async fn what_several_proxies_count_is_added_up_and_known_to_all() {
        let store = OneValue::default();
        let [one, other, new] = [(); 3].map(|()| DeploymentTotals::default());
        count(&one, 3);
        count(&other, 4);
        for proxy in [&one, &other, &one, &new] {
            share(proxy, &store).await.unwrap();
        }
        assert_eq!([&one, &other, &new].map(requests), [7; 3]);
        count(&one, 1);
        share(&one, &store).await.unwrap();
        share(&new, &store).await.unwrap();
        assert_eq!(requests(&new), 8);
    }

    #[tokio::test]
    async fn while_nothing_can_be_read_it_is_kept_for_later() {
        let totals = DeploymentTotals::default();
        count(&totals, 2);
        let away = OneValue {
            refuses_reads: true,
            ..OneValue::default()
        };
        assert!(share(&totals, &away).await.is_err());
        count(&totals, 1);
        let store = OneValue::default();
        share(&totals, &store).await.unwrap();
        let new = DeploymentTotals::default();
        share(&new, &store).await.unwrap();
        assert_eq!((requests(&totals), requests(&new)), (3, 3));
    }

    #[tokio::test]
    async fn a_write_that_may_have_been_made_is_not_repeated() {
        let totals = DeploymentTotals::default();
        count(&totals, 2);
        let slow = OneValue {
            refuses_writes: true,
            ..OneValue::default()
        };
        for _ in 0..3 {
            let _ = share(&totals, &slow).await;
        }
        assert_eq!(requests(&totals), 2);
    }

    #[tokio::test]
    async fn what_the_store_has_lost_is_written_again_and_what_is_newer_stays() {
        let totals = DeploymentTotals::default();
        count(&totals, 2);
        let store = OneValue::default();
        share(&totals, &store).await.unwrap();
        for lost in [None, Some(Bytes::from_static(b"nonsense"))] {
            *store.value.lock().unwrap() = lost;
            share(&totals, &store).await.unwrap();
            let new = DeploymentTotals::default();
            share(&new, &store).await.unwrap();
            assert_eq!(requests(&new), 2);
        }
        let newer = Bytes::from_static(br#"{"v":99}"#);
        *store.value.lock().unwrap() = Some(newer.clone());
        count(&totals, 1);
        share(&totals, &store).await.unwrap();
        assert_eq!(store.value.lock().unwrap().as_ref(), Some(&newer));
        assert_eq!(requests(&totals), 3);
    }

    #[tokio::test]
    async fn what_a_store_has_lost_comes_from_those_who_know_it() {
        let [old, new] = [(); 2].map(|()| DeploymentTotals::default());
        count(&old, 5);
        let store = OneValue::default();
        share(&old, &store).await.unwrap();
        *store.value.lock().unwrap() = None;
        count(&new, 1);
        for proxy in [&new, &old, &new] {
            share(proxy, &store).await.unwrap();
        }
        assert_eq!([&old, &new].map(requests), [5; 2]);
    }
}
