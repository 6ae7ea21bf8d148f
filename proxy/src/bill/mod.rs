//! Bills requests: what each cost by what the provider states of it, and what it would have cost in the originals.

pub(crate) mod costs;
mod report;
pub(crate) mod shadow;

use std::sync::Arc;

use bytes::Bytes;
use headroom_shared::compress::estimated_millitokens;
use headroom_shared::contract::bill::Bill;
use headroom_shared::contract::id::BlockId;
use headroom_shared::contract::model::Model;
use headroom_shared::contract::usage::Usage;
use quick_cache::sync::Cache;

use self::costs::{Cost, Costs};
use self::shadow::{Replaced, SentText};
use crate::plan::known_prefix::KnownPrefix;
use crate::prices::Prices;
use crate::scan::{Block, Scan};

/// Of so many forms it is remembered what they save.
const FORMS: usize = 16_384;

/// What all requests are billed by.
#[derive(Debug)]
pub(crate) struct Billing {
    prices: Prices,
    pub(crate) costs: Arc<Costs>,
    /// What forms save, by their blocks and their lengths, in thousandths of a token.
    saved: Cache<(BlockId, usize), u64>,
}

/// A request that went out, and whose usage is not known yet.
#[derive(Debug)]
pub(crate) struct OpenBill {
    billing: Arc<Billing>,
    model: String,
    facts: Model,
    sent: SentText,
    /// The last bill of its conversation.
    before: Option<Bill>,
}

impl Billing {
    pub(crate) fn new(prices: Prices) -> Self {
        Self {
            prices,
            costs: Arc::default(),
            saved: Cache::new(FORMS),
        }
    }

    /// The bill of a request that goes out at `now_ms` with these forms in this body.
    pub(crate) fn open(
        self: &Arc<Self>,
        (scan, known): (&Scan, &KnownPrefix),
        (forms, body): (&[(usize, Bytes)], &[u8]),
        now_ms: u64,
    ) -> OpenBill {
        let mut bills = known.chain.iter().map(|(_, record)| record.bill);
        OpenBill {
            billing: Arc::clone(self),
            model: scan.model.clone(),
            facts: scan.facts,
            sent: sent_text((scan, known), (forms, body), now_ms, &|block, form| {
                self.saved(&scan.facts, (body, block), form)
            }),
            before: bills.find_map(|bill| bill),
        }
    }
}

impl Billing {
    /// Tokens of this model that a block has more than its form, about.
    fn saved(&self, facts: &Model, (body, block): (&[u8], &Block), form: &[u8]) -> u64 {
        let estimate = || {
            let tokens = |escaped: &[u8]| estimated_millitokens(&unescaped(escaped));
            tokens(&body[block.span.clone()]).saturating_sub(tokens(form))
        };
        let key = (block.id, form.len());
        let saved = self.saved.get(&key).unwrap_or_else(|| {
            let saved = estimate();
            self.saved.insert(key, saved);
            saved
        });
        saved.saturating_mul(facts.tokens_per_100_estimated) / 100_000
    }
}

/// The text of a JSON string, between whose quotes this stands; empty where it is none.
fn unescaped(escaped: &[u8]) -> String {
    let quoted = [b"\"", escaped, b"\""].concat();
    serde_json::from_slice(&quoted).unwrap_or_default()
}

impl OpenBill {
    /// The request goes out once more, in the originals.
    pub(crate) fn send_in_originals(&mut self) {
        self.sent = SentText::default();
    }

    /// Bills the request, whose response states this usage, and counts it. `None` where the prices are too large to be added.
    pub(crate) fn close(self, usage: Usage) -> Option<Bill> {
        let (label, price) = self.billing.prices.labelled(&self.model);
        let shadow = shadow::usage(usage, &self.sent, self.facts);
        let (usd, shadow_usd) = (price.rates.cost(usage), price.rates.cost(shadow));
        let bill = Bill::after(self.before, usd, shadow_usd)?;
        let cost = Cost::of(usage, usd, shadow_usd, price.is_guess);
        self.billing.costs.add(label, &cost);
        Some(bill)
    }
}

/// Where in a request that goes out the forms are, and how many tokens each saves, as `saved` says.
fn sent_text(
    (scan, known): (&Scan, &KnownPrefix),
    (forms, body): (&[(usize, Bytes)], &[u8]),
    now_ms: u64,
    saved: &dyn Fn(&Block, &[u8]) -> u64,
) -> SentText {
    if forms.is_empty() {
        return SentText::default();
    }
    let messages = scan.resume_points.messages().unwrap_or(0..body.len());
    let sent_before = known.frozen.max(known.unrecorded.messages);
    let mut known_end = scan.resume_points.message_end(sent_before);
    // A provider reads what stands beside the messages, tools and instructions, before them, wherever it is in the body.
    let mut at = body.len() - messages.len();
    let mut from = messages.start;
    let mut sent = SentText::default();
    let mut has_landed = false;
    for (index, form) in forms {
        let block = &scan.blocks[*index];
        if let Some(end) = known_end.take_if(|end| *end <= block.span.start) {
            sent.known = Some(at + end - from);
        }
        at += block.span.start - from;
        let is_new = block.place.message as usize >= sent_before;
        has_landed |= !is_new && !known.forms.contains_key(&block.place);
        sent.replaced.push(Replaced {
            at,
            form: form.len(),
            saved: saved(block, form),
            is_new,
        });
        (at, from) = (at + form.len(), block.span.end);
    }
    if let Some(end) = known_end {
        sent.known = Some(at + end - from);
    }
    sent.bytes = at + messages.end - from;
    sent.landed_warm = has_landed && direct_is_warm(known, now_ms);
    sent
}

/// Whether the provider may hold the known prefix in its cache as it was sent before.
fn direct_is_warm(known: &KnownPrefix, now_ms: u64) -> bool {
    let deferred = known.deferred.as_ref();
    let is_alive = deferred.is_some_and(|deferred| now_ms <= deferred.record.warm_until_ms);
    let mut usages = known.chain.iter().filter_map(|(_, record)| record.usage);
    is_alive && usages.any(|usage| !usage.is_uncached())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use headroom_shared::contract::id::{DigestKey, FormId, PrefixId};
    use headroom_shared::contract::record::SentRecord;

    use super::*;
    use crate::dialect::DIALECTS;
    use crate::plan::known_prefix::DeferredPrefix;
    use crate::scan;

    const NOW: u64 = 1_000_000;

    /// Three messages, of which the first and the last are blocks, before a system prompt of a hundred bytes.
    fn scanned() -> (Scan, String) {
        let long = "x".repeat(4000);
        let body = format!(
            r#"{{"model":"claude-opus-4-6","messages":[{{"role":"user","content":"{long}"}},{{"role":"assistant","content":"ok"}},{{"role":"user","content":"{long}y"}}],"system":"{}"}}"#,
            "s".repeat(100)
        );
        let key = DigestKey::from_bytes([7; 32]);
        let scan = scan::scan(body.as_bytes(), DIALECTS[0], &key).unwrap();
        assert_eq!(scan.blocks.len(), 2);
        (scan, body)
    }

    /// The first two messages, which were sent in the original; the provider's cache of them lives until then.
    fn known(warm_until_ms: u64, read: u64) -> KnownPrefix {
        let record = Arc::new(SentRecord {
            v: 1,
            rev: 0,
            start: 0,
            forms: [].into(),
            sent_ms: 0,
            warm_until_ms,
            waiting: true,
            bound: false,
            lost: false,
            usage: Some(Usage {
                read,
                input: 1000,
                ..Usage::default()
            }),
            bill: None,
        });
        let prefix = PrefixId::from_bytes([1; 16]);
        KnownPrefix {
            complete: true,
            frozen: 2,
            chain: vec![(prefix, record.clone())],
            deferred: Some(DeferredPrefix {
                prefix,
                record,
                compressed: None,
            }),
            ..KnownPrefix::default()
        }
    }

    fn forms() -> [(usize, Bytes); 2] {
        [(0, vec![b'f'; 1000].into()), (1, vec![b'f'; 5000].into())]
    }

    /// A token for three bytes.
    fn saved(block: &Block, form: &[u8]) -> u64 {
        block.span.len().saturating_sub(form.len()) as u64 / 3
    }

    #[test]
    fn what_stands_beside_the_messages_is_read_before_them() {
        let (scan, body) = scanned();
        let mut known = known(0, 0);
        let first = (scan.blocks[0].place, FormId::from_bytes([9; 16]));
        known.forms = [first].into();
        let sent = sent_text((&scan, &known), (&forms(), body.as_bytes()), NOW, &saved);
        assert_eq!(sent.bytes, body.len() - 3000 + 999);
        assert!(!sent.landed_warm);
        let [old, new] = &sent.replaced[..] else {
            panic!("{sent:?}");
        };
        let start = r#"{"model":"claude-opus-4-6","messages":["#.len();
        let system = body.len() - scan.resume_points.messages().unwrap().end;
        let before = r#"[{"role":"user","content":""#.len();
        assert_eq!(old.at, start - 1 + system + before);
        assert_eq!((old.saved, old.form, old.is_new), (1000, 1000, false));
        let between = r#""},{"role":"assistant","content":"ok"},{"role":"user","content":""#;
        assert_eq!(new.at, old.at + 1000 + between.len());
        assert_eq!((new.saved, new.form, new.is_new), (0, 5000, true));
    }

    #[test]
    fn a_landing_in_a_warm_cache_ends_the_direct_reading_behind_the_known_messages() {
        let (scan, body) = scanned();
        let sent = |known: &KnownPrefix| {
            sent_text((&scan, known), (&forms(), body.as_bytes()), NOW, &saved)
        };
        let warm = sent(&known(NOW, 500));
        let rest = r#""},{"role":"assistant","content":"ok"}"#;
        assert!(warm.landed_warm);
        assert_eq!(warm.known, Some(warm.replaced[0].at + 1000 + rest.len()));
        assert!(!sent(&known(NOW - 1, 500)).landed_warm);
        assert!(!sent(&known(NOW, 0)).landed_warm);
    }
}
