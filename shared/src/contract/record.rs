//! The sent record of a prefix: which forms its blocks were sent in, and when.
//!
//! A record holds only what was new in its request, so that the store does not grow with turns × history. The forms of a whole request are
//! in the chain of records at its message boundaries.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::contract::bill::Bill;
use crate::contract::id::{FormId, OriginalId, PrefixId, SettingsId};
use crate::contract::job::{Place, is_zero};
use crate::contract::usage::Usage;

/// The sent record of a prefix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SentRecord {
    /// The version of this layout: 1.
    pub v: u32,
    /// Counts the changes of `forms`. Even: as first sent. Odd: the compressed prefix has landed. A store never replaces a
    /// record by one of a lower revision.
    pub rev: u32,
    /// How many messages the record before this one covers. This one covers the messages from there to its own boundary.
    pub start: u32,
    /// The compressed blocks among them. A block that is not listed was sent in the original.
    pub forms: BTreeMap<Place, FormId>,
    /// The originals of those among them that are sent in a shortened form.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub originals: BTreeSet<OriginalId>,
    /// When this prefix was last sent as a whole request: milliseconds since 1970.
    pub sent_ms: u64,
    /// Until when the provider's cache of this prefix may be alive, counting every request that began with it and was seen:
    /// milliseconds since 1970; 0 if nothing of it was ever cached.
    pub warm_until_ms: u64,
    /// In which caches of the provider a prefix whose compressed prefix waits may be; `None` where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caches: Option<Caches>,
    /// A compressed prefix is in the making, or done and not landed.
    pub waiting: bool,
    /// What waits, or has landed in this record, is of large blocks alone that were new in its request: all others keep their forms.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tail: bool,
    /// Tokens of the blocks that this record tells of for which no form was looked for when they were sent first: about as many.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub untried: u64,
    /// Thinking of a model that binds it may follow: what was sent must stay as it is.
    #[serde(default)]
    pub bound: bool,
    /// The provider refused the thinking in this prefix, because it is bound to other forms than are known: the conversation goes on
    /// in the originals, and has the provider drop thinking that does not fit them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
    /// What the provider's response stated; `None` while that is not known.
    pub usage: Option<Usage>,
    /// What the request and its conversation cost; `None` while that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bill: Option<Bill>,
}

/// In which caches of the provider a prefix may be with which one request after the other began, each of which continued the one before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caches {
    /// How many requests that were.
    pub requests: u32,
    /// When the last of them was sent: milliseconds since 1970.
    pub last_ms: u64,
    /// Until when requests before the first of them may have left the prefix in further caches: milliseconds since 1970.
    pub unseen_until_ms: u64,
    /// The caches that they made, each of other settings.
    pub known: Vec<KnownCache>,
}

/// A cache of a prefix: requests with the same settings read from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownCache {
    /// The settings.
    pub settings: SettingsId,
    /// Names the tools among them; `None` where the provider may not tell these from others.
    pub tools: Option<SettingsId>,
    /// The model that the requests name.
    pub model: String,
    /// Until when it may be alive: milliseconds since 1970.
    pub until_ms: u64,
}

impl Caches {
    /// All that either knows of; `None` where both have had another request in the same place.
    fn merged(mut self, other: &Self) -> Option<Self> {
        if self.requests == other.requests && self.last_ms != other.last_ms {
            return None;
        }
        if self.requests < other.requests {
            (self.requests, self.last_ms) = (other.requests, other.last_ms);
        }
        self.unseen_until_ms = self.unseen_until_ms.max(other.unseen_until_ms);
        for cache in &other.known {
            let mut known = self.known.iter_mut();
            match known.find(|known| known.settings == cache.settings) {
                Some(known) => known.until_ms = known.until_ms.max(cache.until_ms),
                None => self.known.push(cache.clone()),
            }
        }
        Some(self)
    }
}

/// Why a value is not the record of a prefix.
#[derive(Debug, thiserror::Error)]
pub enum NotARecord {
    /// It is not one at all.
    #[error("it can't be read: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// It is that of another prefix.
    #[error("it is the record of another prefix, {0}")]
    OfAnother(PrefixId),
}

/// A record as it is stored: with its prefix, so that one that stands under another key is told.
#[derive(Serialize)]
struct Stored<'a> {
    prefix: PrefixId,
    #[serde(flatten)]
    record: &'a SentRecord,
}

/// The prefix in a stored record; versions before it was there wrote none.
#[derive(Deserialize)]
struct Owner {
    prefix: Option<PrefixId>,
}

impl SentRecord {
    /// The record of this prefix as it is stored.
    ///
    /// # Errors
    /// None that is known: nothing in a record can't be written as JSON.
    pub fn to_stored(&self, prefix: PrefixId) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&Stored {
            prefix,
            record: self,
        })
    }

    /// The record that is stored under this prefix.
    ///
    /// # Errors
    /// When it can't be read, or is another prefix's.
    pub fn from_stored(prefix: PrefixId, value: &[u8]) -> Result<Self, NotARecord> {
        let Owner { prefix: owner } = serde_json::from_slice(value)?;
        if let Some(owner) = owner.filter(|owner| *owner != prefix) {
            return Err(NotARecord::OfAnother(owner));
        }
        Ok(serde_json::from_slice(value)?)
    }

    /// This record with what another one of the same prefix and revision knows besides.
    #[must_use]
    pub fn merged(mut self, other: &Self) -> Self {
        self.warm_until_ms = self.warm_until_ms.max(other.warm_until_ms);
        let caches = self.caches.take().zip(other.caches.as_ref());
        self.caches = caches.and_then(|(own, other)| own.merged(other));
        self.untried = self.untried.max(other.untried);
        self.tail |= other.tail;
        self.bound |= other.bound;
        self.lost |= other.lost;
        if other.sent_ms > self.sent_ms {
            (self.sent_ms, self.usage) = (other.sent_ms, other.usage);
        } else if other.sent_ms == self.sent_ms {
            // One of them may be of before the response.
            self.usage = self.usage.or(other.usage);
        }
        self.bill = Bill::later(self.bill, other.bill);
        self
    }

    /// Whether forms were taken back in this record: they went out in the original, although they may have reached the store.
    #[must_use]
    pub const fn was_rolled_back(&self) -> bool {
        self.rev > 1
    }

    /// Whether the result for its whole prefix has landed in this record.
    #[must_use]
    pub const fn landed_whole(&self) -> bool {
        self.rev % 2 == 1 && !self.tail
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_of_two_records_of_a_request_knows_of_its_response_is_kept() {
        let of = |sent_ms: u64, usage: &str| -> SentRecord {
            let text = format!(
                r#"{{"v":1,"rev":0,"start":0,"forms":{{}},"sent_ms":{sent_ms},"warm_until_ms":6,"waiting":false,"usage":{usage}}}"#
            );
            serde_json::from_str(&text).unwrap()
        };
        let read = r#"{"read":7,"written":0,"written_hour":0,"total":7,"output":1}"#;
        for (one, other, kept) in [
            ((5, "null"), (5, read), true),
            ((5, read), (5, "null"), true),
            ((5, read), (6, "null"), false),
            ((6, "null"), (5, read), false),
        ] {
            let merged = of(one.0, one.1).merged(&of(other.0, other.1));
            assert_eq!(merged.usage.is_some(), kept, "{one:?} {other:?}");
        }
    }

    #[test]
    fn a_record_is_read_under_its_own_prefix_alone() {
        let [own, other] = [1, 2].map(|byte| PrefixId::from_bytes([byte; 16]));
        let without_prefix = r#"{"v":1,"rev":0,"start":0,"forms":{"1.0.0":"00000000000000000000000000000009"},"sent_ms":5,"warm_until_ms":6,"waiting":false,"usage":null}"#;
        let record = SentRecord::from_stored(own, without_prefix.as_bytes()).unwrap();
        let stored = record.to_stored(own).unwrap();
        assert_eq!(SentRecord::from_stored(own, &stored).unwrap(), record);
        let error = SentRecord::from_stored(other, &stored).unwrap_err();
        assert!(matches!(error, NotARecord::OfAnother(it) if it == own));
        let error = SentRecord::from_stored(own, b"{}").unwrap_err();
        assert!(matches!(error, NotARecord::Unreadable(_)));
    }
}
