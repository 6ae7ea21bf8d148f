//! The smallest store there is.

use std::collections::HashMap;
use std::sync::Mutex;

use bytes::Bytes;
use headroom_shared::contract::id::DigestKey;
use headroom_shared::store::{Entry, Key, Life, Store, StoreError};

#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<HashMap<Key, Bytes>>);

#[async_trait::async_trait]
impl Store for MemoryStore {
    async fn digest_key(&self) -> Result<DigestKey, StoreError> {
        Ok(DigestKey::from_bytes([1; 32]))
    }

    async fn read(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError> {
        let entries = self.0.lock().unwrap();
        Ok(keys.iter().map(|key| entries.get(key).cloned()).collect())
    }

    async fn write(&self, entries: &[Entry]) -> Result<(), StoreError> {
        let mut all = self.0.lock().unwrap();
        all.extend(entries.iter().map(|e| (e.key, e.value.clone())));
        Ok(())
    }

    async fn lives(&self, keys: &[Key]) -> Result<Vec<Option<Life>>, StoreError> {
        let entries = self.0.lock().unwrap();
        let life = |key: &Key| entries.contains_key(key).then_some(Life::Full);
        Ok(keys.iter().map(life).collect())
    }

    async fn touch(&self, keys: &[Key]) -> Result<Vec<bool>, StoreError> {
        let entries = self.0.lock().unwrap();
        Ok(keys.iter().map(|key| entries.contains_key(key)).collect())
    }

    async fn remove_provisional(&self, _: &[Key]) -> Result<(), StoreError> {
        Ok(())
    }

    async fn ping(&self) -> Result<Option<headroom_shared::redis::Full>, StoreError> {
        Ok(None)
    }
}
