//! The smallest store there is.

use std::collections::HashMap;
use std::sync::Mutex;

use bytes::Bytes;
use headroom_shared::contract::id::DigestKey;
use headroom_shared::store::{Entry, Key, Life, Store, StoreError};

#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<HashMap<Key, (Bytes, Life)>>);

#[async_trait::async_trait]
impl Store for MemoryStore {
    async fn digest_key(&self) -> Result<DigestKey, StoreError> {
        Ok(DigestKey::from_bytes([1; 32]))
    }

    async fn read(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError> {
        let entries = self.0.lock().unwrap();
        let value = |key| entries.get(key).map(|(value, _)| value.clone());
        Ok(keys.iter().map(value).collect())
    }

    async fn write(&self, entries: &[Entry]) -> Result<(), StoreError> {
        let mut all = self.0.lock().unwrap();
        for entry in entries {
            let before = all.get(&entry.key).map(|(_, life)| *life);
            let life = entry.life.max(before.unwrap_or(entry.life));
            all.insert(entry.key, (entry.value.clone(), life));
        }
        Ok(())
    }

    async fn lives(&self, keys: &[Key]) -> Result<Vec<Option<Life>>, StoreError> {
        let entries = self.0.lock().unwrap();
        let life = |key| entries.get(key).map(|(_, life)| *life);
        Ok(keys.iter().map(life).collect())
    }

    async fn touch(&self, keys: &[Key]) -> Result<Vec<bool>, StoreError> {
        let mut entries = self.0.lock().unwrap();
        let touch = |key| entries.get_mut(key).map(|(_, life)| *life = Life::Full);
        Ok(keys
            .iter()
            .map(touch)
            .map(|found| found.is_some())
            .collect())
    }

    async fn remove_provisional(&self, _: &[Key]) -> Result<(), StoreError> {
        Ok(())
    }

    async fn ping(&self) -> Result<Option<headroom_shared::redis::Full>, StoreError> {
        Ok(None)
    }
}
