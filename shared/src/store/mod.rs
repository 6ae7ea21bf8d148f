//! The store for forms, compressed prefixes and sent records: the trait [`Store`], in Redis and in a local file.
//!
//! A store is a map from [`Key`] to bytes in which each entry expires. It has no logic about its values: what a record means is up to its
//! callers, so that every store behaves the same.

mod embedded;
mod error;
mod redis;

use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;

pub use self::embedded::EmbeddedStore;
pub use self::error::StoreError;
pub(crate) use self::error::is_refusal;
pub use self::redis::RedisStore;
use crate::contract::id::{DigestKey, FormId, OriginalId, PrefixId, SentBlockId};
use crate::redis::{Evicts, Full};

/// The key of an entry: its kind and its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    /// A sent record ([`crate::contract::record::SentRecord`] as JSON).
    Sent(PrefixId),
    /// Tells that conversations that open with this prefix, which ends before the model's first message, have sent records beyond
    /// it. It lives at least as long as they do, because each of their writes and touches is one of it too.
    Opened(PrefixId),
    /// A compressed prefix ([`crate::contract::prefix::CompressedPrefix`] as JSON).
    Compressed(PrefixId),
    /// A form's escaped text.
    Form(FormId),
    /// The id of the form that a block was last sent in, in hex digits. It is found even where a client has
    /// edited what is before the block, which changes the block's place.
    SentForm(SentBlockId),
    /// The original text of a block that was sent in a shortened form, escaped as it was in the request.
    Original(OriginalId),
    /// What the proxies of the deployment have counted together: JSON.
    Totals,
}

/// How long an entry lives after its write, if it is not used again. No write makes a life shorter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Life {
    /// At most [`MAX_PROVISIONAL_LIFE`], because the request that it is written for may still be refused.
    Provisional,
    /// The store's retention.
    #[default]
    Full,
}

/// The longest provisional life: more than any response takes. It is half of the retention where that is shorter.
pub const MAX_PROVISIONAL_LIFE: Duration = Duration::from_secs(3600);

/// The provisional life in a store of this retention.
pub(crate) fn provisional_life_ms(retention_ms: u64) -> u64 {
    let max = u64::try_from(MAX_PROVISIONAL_LIFE.as_millis()).unwrap_or(u64::MAX);
    max.min(retention_ms / 2)
}

/// One entry to write.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its key.
    pub key: Key,
    /// Its revision. The write is skipped where the store holds a higher one for the key.
    pub rev: u32,
    /// Its value.
    pub value: Bytes,
    /// How long it lives.
    pub life: Life,
}

impl Entry {
    /// One without revisions, which is written whatever is there.
    #[must_use]
    pub const fn without_revisions(key: Key, value: Bytes) -> Self {
        Self {
            key,
            rev: 0,
            value,
            life: Life::Full,
        }
    }

    /// The same with this life.
    #[must_use]
    pub const fn with_life(mut self, life: Life) -> Self {
        self.life = life;
        self
    }

    /// Whether no store need compare revisions: the key's value is the same at every write, or the last one counts.
    pub(crate) const fn has_no_revisions(&self) -> bool {
        self.rev == 0 && !matches!(self.key, Key::Sent(_))
    }
}

/// What a comparison of a process's secret with the store's has shown.
#[derive(Debug, Clone)]
pub enum SecretCheck {
    /// They are the same, and this is which data the store holds.
    Same(Generation),
    /// The store holds this one: it has lost its data, and another process was first to give it a secret.
    Replaced(DigestKey),
}

/// Tells which data a store holds. Where it is another one than before, the store has lost entries, or may have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Generation {
    /// The name of the data, which goes with them.
    name: Option<Bytes>,
    /// How often a connection has failed, or the file was opened anew: after that it may be another one, or the same with the data of a
    /// while ago.
    interruptions: u64,
}

impl Generation {
    /// Whether all that was there in this generation is gone in the `next`.
    #[must_use]
    pub fn is_lost_in(&self, next: &Self) -> bool {
        self.name != next.name
    }
}

/// A place for entries, shared by all replicas of a deployment.
#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug {
    /// The deployment's secret, made at the first call ever and kept in the store.
    ///
    /// # Errors
    /// When the store can't be reached or holds something else in its place.
    async fn digest_key(&self) -> Result<DigestKey, StoreError>;

    /// Compares the secret of this process with the store's, and writes it to a store that holds none any more.
    ///
    /// # Errors
    /// When the store can't be reached, evicts entries, or holds something else in its place.
    async fn check_secret(&self, _own: &DigestKey) -> Result<SecretCheck, StoreError> {
        // A store that nobody else has keeps what it was given.
        Ok(SecretCheck::Same(Generation::default()))
    }

    /// Waits until a read finds that the store has lost its data.
    async fn data_lost(&self) {
        std::future::pending().await
    }

    /// When all processes have surely written back what the store has lost last; `None` where it has lost nothing that is known of.
    fn settled_at(&self) -> Option<Instant> {
        None
    }

    /// The values under `keys`, in their order, in one round trip.
    ///
    /// # Errors
    /// When the store can't be reached.
    async fn read(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError>;

    /// How long the entries under `keys` live, in their order; `None` where there is none. An entry that nobody has used for so long that no
    /// more than a provisional life is left of it counts as provisional.
    ///
    /// # Errors
    /// When the store can't be reached.
    async fn lives(&self, keys: &[Key]) -> Result<Vec<Option<Life>>, StoreError>;

    /// The same as [`Self::digest_key`], but while the store is away it waits until it is available. For callers with a time limit of their
    /// own.
    ///
    /// # Errors
    /// When the store refuses.
    async fn digest_key_until_available(&self) -> Result<DigestKey, StoreError> {
        self.digest_key().await
    }

    /// The same as [`Self::read`], but while the store is away it waits until it is available. For callers with a time limit of their own.
    ///
    /// # Errors
    /// When the store refuses.
    async fn read_until_available(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError> {
        self.read(keys).await
    }

    /// Writes all `entries` or none, in one round trip, and gives each its life. When it returns, they outlive a kill of
    /// this process.
    ///
    /// # Errors
    /// When the store can't be reached or is full. Then the entries may have been written all the same.
    async fn write(&self, entries: &[Entry]) -> Result<(), StoreError>;

    /// The same, but not later than `within` from now: when it fails, nothing is written afterwards, wherever a store can see to
    /// that.
    ///
    /// # Errors
    /// When the store can't be reached, is full, or is too slow. Then the entries may have been written all the same.
    async fn write_within(&self, entries: &[Entry], within: Duration) -> Result<(), StoreError> {
        tokio::time::timeout(within, self.write(entries))
            .await
            .unwrap_or_else(|_| Err(StoreError::timeout("writing", within)))
    }

    /// The same as [`Self::write_within`], but while the store is away or the outcome is in doubt, it writes again until `within` is over.
    ///
    /// # Errors
    /// Those of [`Self::write_within`].
    async fn write_until_available(
        &self,
        entries: &[Entry],
        within: Duration,
    ) -> Result<(), StoreError> {
        self.write_within(entries, within).await
    }

    /// Gives each of `keys` that exists a full life, as if it were written now, and tells which exist, in their order. Expired entries stay
    /// expired. May be lost with the process.
    ///
    /// # Errors
    /// When the store can't be reached.
    async fn touch(&self, keys: &[Key]) -> Result<Vec<bool>, StoreError>;

    /// Deletes those of `keys` that have a provisional life ([`Self::lives`]): no request that was accepted has used them.
    ///
    /// # Errors
    /// When the store can't be reached.
    async fn remove_provisional(&self, keys: &[Key]) -> Result<(), StoreError>;

    /// That the store evicts entries when it is full, if it does; nothing where it keeps them, and while that is not known. If it evicts,
    /// nothing new may rely on the store.
    fn evicts(&self) -> Option<Evicts> {
        None
    }

    /// Asks the store whether it responds, and whether it refuses writes because its memory is full.
    ///
    /// # Errors
    /// When it does not respond, and why.
    async fn ping(&self) -> Result<Option<Full>, StoreError>;
}
