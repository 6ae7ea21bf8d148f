//! Reading what workers have made of parts of a request that waits for them.

use headroom_shared::contract::id::PrefixId;
use headroom_shared::contract::prefix::CompressedPrefix;
use headroom_shared::store::Key;

use super::{Budget, Records};

impl Records {
    /// The results that are in the store, each with the prefix of its job; none where the store does not tell in time.
    pub(crate) async fn results_of_parts(
        &self,
        prefixes: &[PrefixId],
        budget: &mut Budget,
    ) -> Vec<(PrefixId, CompressedPrefix)> {
        let keys: Vec<Key> = prefixes.iter().copied().map(Key::Compressed).collect();
        let values = self.read(&keys, budget).await.unwrap_or_default();
        let made = prefixes.iter().zip(values);
        made.filter_map(|(prefix, value)| Some((*prefix, serde_json::from_slice(&value?).ok()?)))
            .collect()
    }
}
