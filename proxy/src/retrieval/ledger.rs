//! [`Ledger`]: what shortened texts save and what fetching their originals costs, by kind.

use std::collections::{HashMap, HashSet};

use headroom_shared::compress::shorten::{kind_of, original_fetched};
use headroom_shared::contract::id::OriginalId;
use headroom_shared::contract::job::JobBlock;
use headroom_shared::contract::output_kind::{OutputKind, OutputKinds};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use serde_json::{Map, Value, json};

use crate::plan::blocks::{self, Blocks, call_alone};
use crate::plan::known_prefix::KnownPrefix;
use crate::plan::shortened::Shortened;
use crate::scan::Scan;
use crate::totals::DeploymentTotals;
use crate::totals::retrievals::{Balance, Balances};

/// The label of a counter: the kind.
type Label = [(&'static str, &'static str); 1];

/// What a token in a conversation costs until its end, in percent of a fresh one: it is written to the provider's cache at 1.25 and read
/// about ten times at 0.1.
const TOKEN_PERCENT: u64 = 225;

/// What a token that a further request reads from the cache costs, in percent of a fresh one.
const READ_PERCENT: u64 = 10;

/// What the call of the tool costs, in fresh tokens: 60 tokens of output, five times as dear.
const CALL_TOKENS: u64 = 300;

/// What an answer has that is too short to be a block, in tokens.
const SHORT_ANSWER_TOKENS: u64 = 40;

/// What shortened texts have saved and what fetching their originals has cost, in fresh tokens: since the process began, and in the totals
/// of the deployment. Clones are the same ledger.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    saved: Family<Label, Counter>,
    cost: Family<Label, Counter>,
    totals: DeploymentTotals,
}

/// What a request adds to the ledger, once the provider has taken it: one that it refuses comes again.
#[derive(Debug)]
pub(crate) struct LedgerEntry {
    ledger: Ledger,
    added: Balances,
    now_ms: u64,
}

impl LedgerEntry {
    /// Adds it.
    pub(crate) fn book(self) {
        if !self.added.is_empty() {
            self.ledger.add(self.added, self.now_ms);
        }
    }
}

impl Ledger {
    /// One that adds to these totals.
    pub(crate) fn new(totals: DeploymentTotals) -> Self {
        Self {
            totals,
            ..Self::default()
        }
    }

    /// What a request adds: the blocks that are shortened from now on, and the originals that the model's last turn has fetched, as far
    /// as they are of texts that were sent shortened in this conversation.
    pub(crate) fn entry(
        &self,
        (body, scan): (&[u8], &Scan),
        known: &KnownPrefix,
        shortened: &[Shortened],
        now_ms: u64,
    ) -> LedgerEntry {
        let mut added = Balances::default();
        add_savings((body, scan), shortened, &mut added);
        if !known.originals.is_empty() {
            add_costs((body, scan), known, &mut added);
        }
        LedgerEntry {
            ledger: self.clone(),
            added,
            now_ms,
        }
    }

    fn add(&self, added: Balances, now_ms: u64) {
        for kind in OutputKind::ALL {
            let Balance { saved, cost, .. } = added.of(kind);
            self.saved.get_or_create_owned(&label(kind)).inc_by(saved);
            self.cost.get_or_create_owned(&label(kind)).inc_by(cost);
        }
        self.totals.add_retrievals(&added, now_ms);
    }

    /// The kinds of which fetching has cost more than shortening saved: they are left whole.
    pub(crate) fn whole_kinds(&self, now_ms: u64) -> OutputKinds {
        self.totals.retrievals(now_ms).whole_kinds()
    }

    pub(crate) fn stats(&self, now_ms: u64) -> Value {
        let balances = self.totals.retrievals(now_ms);
        let whole = balances.whole_kinds();
        let kinds = OutputKind::ALL.into_iter().map(|kind| {
            let balance = balances.of(kind);
            let sums = json!({
                "saved_tokens": balance.saved,
                "retrieval_cost_tokens": balance.cost,
                "retrievals": balance.retrievals,
                "left_whole": whole.contains(kind),
            });
            (kind.name().to_owned(), sums)
        });
        kinds.collect::<Map<String, Value>>().into()
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "shortened_saved_tokens",
            "What shortened texts save until their conversations end, about, in fresh tokens, by kind of output",
            self.saved.clone(),
        );
        registry.register(
            "retrieval_cost_tokens",
            "What fetching originals of shortened texts costs, about, in fresh tokens, by kind of output",
            self.cost.clone(),
        );
    }
}

const fn label(kind: OutputKind) -> Label {
    [("kind", kind.name())]
}

/// Adds what these blocks are sent shorter.
fn add_savings((body, scan): (&[u8], &Scan), shortened: &[Shortened], added: &mut Balances) {
    let mut shortened = shortened.to_vec();
    shortened.sort_unstable_by_key(|it| it.block);
    let mut blocks = Blocks::new(body, scan);
    for it in shortened {
        let Some(block) = blocks.without_text(it.block) else {
            continue;
        };
        let before = it.bytes_before.unwrap_or(scan.blocks[it.block].span.len());
        let tokens = scan.facts.tokens(before.saturating_sub(it.bytes));
        let balance = added.of_mut(kind_of(call_alone(&block)));
        balance.saved = balance
            .saved
            .saturating_add(tokens.saturating_mul(TOKEN_PERCENT) / 100);
    }
}

/// Adds what the model's last turn costs where it has fetched some of these originals.
fn add_costs((body, scan): (&[u8], &Scan), known: &KnownPrefix, added: &mut Balances) {
    let turn = scan.last_turn();
    if turn.end <= known.frozen {
        // An earlier request has brought its answers.
        return;
    }
    let calls = scan.calls_before(turn.start)..scan.calls_before(turn.end);
    let fetched: HashSet<OriginalId> = blocks::retrieved(body, scan, calls)
        .filter(|original| known.originals.contains(original))
        .collect();
    if fetched.is_empty() {
        return;
    }
    let mut answers: HashMap<OriginalId, u64> = HashMap::new();
    let mut blocks = Blocks::new(body, scan);
    for at in scan.blocks_from(turn.end)..scan.blocks.len() {
        let block = blocks.without_text(at);
        if let Some(original) = block.and_then(|block| fetched_by(&block)) {
            let tokens = answers.entry(original).or_default();
            *tokens = tokens.saturating_add(scan.facts.tokens(scan.blocks[at].span.len()));
        }
    }
    // All that is fetched in one turn takes one turn.
    let mut turn = scan.tokens().saturating_mul(READ_PERCENT) / 100;
    for (original, block) in blocks::of_originals(body, scan, &fetched) {
        let answer = answers
            .get(&original)
            .copied()
            .unwrap_or(SHORT_ANSWER_TOKENS);
        let answer = answer.saturating_mul(TOKEN_PERCENT) / 100;
        let balance = added.of_mut(kind_of(call_alone(&block)));
        balance.cost = balance
            .cost
            .saturating_add(answer)
            .saturating_add(CALL_TOKENS);
        balance.cost = balance.cost.saturating_add(std::mem::take(&mut turn));
        balance.retrievals += 1;
    }
}

/// The original that a block is the answer to the call for.
fn fetched_by(block: &JobBlock<()>) -> Option<OriginalId> {
    original_fetched(block.tool.as_deref()?, block.input.as_deref()?)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use headroom_shared::contract::id::DigestKey;

    use super::*;
    use crate::dialect::DIALECTS;
    use crate::scan;
    use crate::totals::retrievals::{HALF_LIFE_MS, MIN_RETRIEVALS};

    /// A conversation of an output of `cargo test` and a number of calls that fetch it, each answered with it.
    fn conversation(retrievals: usize) -> (Bytes, Scan) {
        let output = "test it_works ... ok\n".repeat(400);
        let call = |id: &str, name: &str, input: Value| {
            json!({"role": "assistant", "content": [
                {"type": "tool_use", "id": id, "name": name, "input": input},
            ]})
        };
        let answer = |id: &str| {
            json!({"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": id, "content": output},
            ]})
        };
        let mut messages = vec![
            call("0", "Bash", json!({"command": "cargo test"})),
            answer("0"),
        ];
        let body = |messages: &[Value]| {
            let body = json!({"model": "claude-opus-4-6", "max_tokens": 9, "messages": messages,
                "tools": [{"name": "mcp__headroom__headroom_retrieve", "input_schema": {}}]});
            let body = Bytes::from(body.to_string());
            let scan = scan::scan(&body, DIALECTS[0], &DigestKey::from_bytes([7; 32])).unwrap();
            (body, scan)
        };
        let original = OriginalId::of(body(&messages).1.blocks[0].id);
        for n in 1..=retrievals {
            let id = n.to_string();
            let input = json!({"id": original.to_string()});
            messages.push(call(&id, "mcp__headroom__headroom_retrieve", input));
            messages.push(answer(&id));
        }
        body(&messages)
    }

    /// What is known of a conversation in which the first block was sent shortened.
    fn known(scan: &Scan) -> KnownPrefix {
        KnownPrefix {
            originals: HashSet::from([OriginalId::of(scan.blocks[0].id)]),
            ..KnownPrefix::default()
        }
    }

    const BEGIN: u64 = 1_000_000_000_000;

    const FIRST: Shortened = Shortened {
        block: 0,
        bytes: 200,
        bytes_before: None,
    };

    fn messages(ledger: &Ledger) -> Balance {
        ledger.totals.retrievals(BEGIN).of(OutputKind::Messages)
    }

    #[test]
    fn a_kind_is_left_whole_once_fetching_it_costs_more_than_it_saves_and_tried_again() {
        let ledger = Ledger::default();
        let (body, scan) = conversation(1);
        let known = known(&scan);
        ledger
            .entry((&body, &scan), &KnownPrefix::default(), &[FIRST], BEGIN)
            .book();
        let balance = messages(&ledger);
        assert!(balance.saved > 0 && balance.cost == 0 && balance.retrievals == 0);
        // The provider refuses this one.
        drop(ledger.entry((&body, &scan), &known, &[FIRST], BEGIN));
        assert_eq!(messages(&ledger).saved, balance.saved);
        for count in 1..=MIN_RETRIEVALS {
            assert!(ledger.whole_kinds(BEGIN).is_empty());
            ledger.entry((&body, &scan), &known, &[], BEGIN).book();
            assert_eq!(messages(&ledger).retrievals, count);
        }
        assert!(ledger.whole_kinds(BEGIN).contains(OutputKind::Messages));
        assert_eq!(ledger.stats(BEGIN)["messages"]["left_whole"], true);
        assert_eq!(ledger.stats(BEGIN)["search"]["retrievals"], 0);
        let later = BEGIN + HALF_LIFE_MS;
        assert!(ledger.whole_kinds(later - 1).contains(OutputKind::Messages));
        assert!(ledger.whole_kinds(later).is_empty());
        assert!(ledger.whole_kinds(u64::MAX).is_empty());
    }

    #[test]
    fn a_form_that_takes_the_place_of_another_saves_the_difference() {
        let ledger = Ledger::default();
        let (body, scan) = conversation(0);
        let again = Shortened {
            bytes_before: Some(200),
            ..FIRST
        };
        ledger
            .entry((&body, &scan), &KnownPrefix::default(), &[again], BEGIN)
            .book();
        assert_eq!(messages(&ledger).saved, 0);
    }

    #[test]
    fn only_what_was_sent_shortened_here_and_is_fetched_in_the_last_turn_counts() {
        let ledger = Ledger::default();
        let (body, scan) = conversation(3);
        ledger
            .entry((&body, &scan), &KnownPrefix::default(), &[], BEGIN)
            .book();
        assert_eq!(messages(&ledger).retrievals, 0);
        let known = known(&scan);
        ledger.entry((&body, &scan), &known, &[], BEGIN).book();
        assert_eq!(messages(&ledger).retrievals, 1);
        // The user goes on without another turn of the model.
        let frozen = scan.messages.len();
        let sent = KnownPrefix { frozen, ..known };
        ledger.entry((&body, &scan), &sent, &[], BEGIN).book();
        assert_eq!(messages(&ledger).retrievals, 1);
    }
}
