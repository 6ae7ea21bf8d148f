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
use headroom_shared::contract::prefix::unescaped;
use headroom_shared::contract::usage::Usage;
use headroom_shared::runtime::clock::now_ms;
use quick_cache::sync::Cache;
use uuid::Uuid;

use self::costs::Costs;
use self::shadow::{Replaced, SentText};
use crate::activity::Activity;
use crate::plan::known_prefix::KnownPrefix;
use crate::plan::landing::{Landing, Occasion};
use crate::prices::Prices;
use crate::scan::{CacheLife, Scan};
use crate::totals::DeploymentTotals;
use crate::totals::cost::Cost;

/// Of so many forms it is remembered what they save.
const FORMS: usize = 16_384;

/// What all requests are billed by.
#[derive(Debug)]
pub(crate) struct Billing {
    prices: Arc<Prices>,
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
    /// Whether the provider may have had what was sent before in its cache.
    was_warm: bool,
    /// The blocks of which it is not known yet what their forms save.
    unknown: Vec<Unknown>,
    /// The last bill of its conversation.
    before: Option<Bill>,
    /// Where the bill is shown, and the request's id there.
    shown: Option<(Activity, Uuid)>,
}

/// A block of which it is not known what its form saves: that takes longer to find out than a request should wait.
#[derive(Debug)]
struct Unknown {
    /// Its position among the replaced ones.
    at: usize,
    key: (BlockId, usize),
    /// Its text and its form, escaped.
    texts: [Box<[u8]>; 2],
}

impl Billing {
    /// By these prices, where nothing is billed yet; what each day costs is added to these totals.
    pub(crate) fn new(prices: Arc<Prices>, totals: DeploymentTotals) -> Self {
        Self {
            prices,
            costs: Arc::new(Costs::new(totals)),
            saved: Cache::new(FORMS),
        }
    }

    /// What models cost.
    pub(crate) fn prices(&self) -> &Prices {
        &self.prices
    }

    /// The bill of a request that goes out at `now_ms` with these forms in this body, some of which have perhaps landed.
    pub(crate) fn open(
        self: &Arc<Self>,
        (scan, known): (&Scan, &KnownPrefix),
        (forms, body): (&[(usize, Bytes)], &[u8]),
        (landing, now_ms): (Option<Landing>, u64),
    ) -> OpenBill {
        let mut bills = known.chain.iter().map(|(_, record)| record.bill);
        // Where the client itself has changed what the cache depends on, the originals would not have been read from it either.
        let is_invalidated = landing == Some(Landing::Lands(Occasion::Invalidated));
        let was_warm = was_warm(known, now_ms) && !is_invalidated;
        let mut sent = sent_text((scan, known), (forms, body), was_warm);
        let mut unknown = Vec::new();
        for (at, (index, form)) in forms.iter().enumerate() {
            let block = &scan.blocks[*index];
            let key = (block.id, form.len());
            match self.saved.get(&key) {
                Some(millitokens) => sent.replaced[at].saved = of_model(scan.facts, millitokens),
                None => unknown.push(Unknown {
                    at,
                    key,
                    texts: [body[block.span.clone()].into(), form[..].into()],
                }),
            }
        }
        OpenBill {
            billing: Arc::clone(self),
            model: scan.model.clone(),
            facts: scan.facts,
            sent,
            was_warm,
            unknown,
            before: bills.find_map(|bill| bill),
            shown: None,
        }
    }
}

/// Tokens of a model, where these were estimated.
const fn of_model(facts: Model, millitokens: u64) -> u64 {
    millitokens.saturating_mul(facts.tokens_per_100_estimated) / 100_000
}

impl OpenBill {
    /// The same, which is shown as that of the request with this id.
    pub(crate) fn shown_in(self, activity: &Activity, id: Uuid) -> Self {
        Self {
            shown: Some((activity.clone(), id)),
            ..self
        }
    }

    /// The request goes out once more, in the originals, although the provider may have its forms in its cache.
    pub(crate) fn send_in_originals(&mut self) {
        self.sent.changed_warm = !self.sent.replaced.is_empty() && self.was_warm;
        self.sent.replaced.clear();
        self.unknown.clear();
    }

    /// Bills the request, whose response states this usage, and counts it. `None` where the prices are too large to be added.
    pub(crate) fn close(mut self, usage: Usage) -> Option<Bill> {
        for Unknown { at, key, texts } in std::mem::take(&mut self.unknown) {
            let [original, form] = texts.map(|escaped| {
                let text = unescaped(&escaped);
                text.map_or(0, |text| estimated_millitokens(&text))
            });
            let millitokens = original.saturating_sub(form);
            self.billing.saved.insert(key, millitokens);
            self.sent.replaced[at].saved = of_model(self.facts, millitokens);
        }
        let (label, price) = self.billing.prices.labelled(&self.model);
        let shadow = shadow::usage(usage, &self.sent, self.facts);
        let (usd, shadow_usd) = (price.rates.cost(usage), price.rates.cost(shadow));
        let bill = Bill::after(self.before, usd, shadow_usd)?;
        let cost = Cost::of(usage, usd, shadow_usd, price.is_guess);
        self.billing.costs.add(label, &cost, now_ms());
        if let Some((activity, id)) = &self.shown {
            activity.note_bill(*id, bill);
        }
        Some(bill)
    }
}

/// Where in a request that goes out the forms are; what each saves is not known here. `was_warm`: whether the provider may have had what was
/// sent before in its cache.
fn sent_text(
    (scan, known): (&Scan, &KnownPrefix),
    (forms, body): (&[(usize, Bytes)], &[u8]),
    was_warm: bool,
) -> SentText {
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
        has_landed |= !is_new && known.sent_text(block.place) != Some(form);
        sent.replaced.push(Replaced {
            at,
            form: form.len(),
            saved: 0,
            is_new,
        });
        (at, from) = (at + form.len(), block.span.end);
    }
    if let Some(end) = known_end {
        sent.known = Some(at + end - from);
    }
    sent.bytes = at + messages.end - from;
    let has_lost = known.lost || known.missing_texts() > 0;
    sent.changed_warm = was_warm && (has_landed || has_lost);
    if scan.cache == CacheLife::None && !sent.changed_warm {
        // A request without a marker reads from no cache, in the originals neither.
        sent.known = None;
    }
    sent
}

/// Whether the provider may hold the known prefix in its cache as it was sent before.
fn was_warm(known: &KnownPrefix, now_ms: u64) -> bool {
    let last = known.latest_record();
    let is_alive = last.is_some_and(|record| now_ms <= record.warm_until_ms);
    let mut usages = known.chain.iter().filter_map(|(_, record)| record.usage);
    is_alive && usages.any(|usage| !usage.is_uncached())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;
    use std::time::Duration;

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
            originals: BTreeSet::new(),
            sent_ms: 0,
            warm_until_ms,
            caches: None,
            waiting: true,
            tail: false,
            untried: 0,
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

    #[test]
    fn what_stands_beside_the_messages_is_read_before_them() {
        let (scan, body) = scanned();
        let mut known = known(0, 0);
        let first = (scan.blocks[0].place, FormId::from_bytes([9; 16]));
        known.forms = [first].into();
        let warm = was_warm(&known, NOW);
        let sent = sent_text((&scan, &known), (&forms(), body.as_bytes()), warm);
        assert_eq!(sent.bytes, body.len() - 3000 + 999);
        assert!(!sent.changed_warm);
        let [old, new] = &sent.replaced[..] else {
            panic!("{sent:?}");
        };
        let start = r#"{"model":"claude-opus-4-6","messages":["#.len();
        let system = body.len() - scan.resume_points.messages().unwrap().end;
        let before = r#"[{"role":"user","content":""#.len();
        assert_eq!(old.at, start - 1 + system + before);
        assert_eq!((old.form, old.is_new), (1000, false));
        let between = r#""},{"role":"assistant","content":"ok"},{"role":"user","content":""#;
        assert_eq!(new.at, old.at + 1000 + between.len());
        assert_eq!((new.form, new.is_new), (5000, true));
    }

    #[test]
    fn without_a_marker_the_originals_would_not_have_been_read_either() {
        let (mut scan, body) = scanned();
        let mut known = known(0, 0);
        let first = (scan.blocks[0].place, FormId::from_bytes([9; 16]));
        known.forms = [first].into();
        let stated = Usage {
            input: 2000,
            ..Usage::default()
        };
        let shadow = |scan: &Scan| {
            let mut sent = sent_text((scan, &known), (&forms(), body.as_bytes()), false);
            sent.replaced[0].saved = 1000;
            shadow::usage(stated, &sent, scan.facts)
        };
        assert_eq!((shadow(&scan).read, shadow(&scan).input), (0, 3000));
        scan.cache = CacheLife::Marked(Duration::from_secs(300));
        assert!(shadow(&scan).read > 1000);
    }

    #[test]
    fn a_landing_in_a_warm_cache_ends_the_direct_reading_behind_the_known_messages() {
        let (scan, body) = scanned();
        let sent = |known: &KnownPrefix| {
            let warm = was_warm(known, NOW);
            sent_text((&scan, known), (&forms(), body.as_bytes()), warm)
        };
        let warm = sent(&known(NOW, 500));
        let rest = r#""},{"role":"assistant","content":"ok"}"#;
        assert!(warm.changed_warm);
        assert_eq!(warm.known, Some(warm.replaced[0].at + 1000 + rest.len()));
        assert!(!sent(&known(NOW - 1, 500)).changed_warm);
        assert!(!sent(&known(NOW, 0)).changed_warm);
    }
}
