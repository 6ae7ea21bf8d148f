//! [`Ledger`]: what shortened texts save and what fetching their originals costs, by kind.

use headroom_shared::compress::Source;
use headroom_shared::compress::shorten::{kind_of, original_fetched};
use headroom_shared::contract::id::OriginalId;
use headroom_shared::contract::job::JobBlock;
use headroom_shared::contract::output_kind::{OutputKind, OutputKinds};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use serde_json::{Map, Value, json};

use crate::plan::blocks::Blocks;
use crate::scan::Scan;

/// The label of a counter: the kind.
type Label = [(&'static str, &'static str); 1];

/// What a token in a conversation costs until its end, in percent of a fresh one: it is written to the provider's cache at 1.25 and read
/// about ten times at 0.1.
const TOKEN_PERCENT: u64 = 225;

/// What a token that a further request reads from the cache costs, in percent of a fresh one.
const READ_PERCENT: u64 = 10;

/// What the call of the tool costs, in fresh tokens: 60 tokens of output, five times as dear.
const CALL_TOKENS: u64 = 300;

/// After so many retrievals of a kind it is known what they cost.
const MIN_RETRIEVALS: u64 = 5;

/// What shortened texts have saved and what fetching their originals has cost since the process began, in fresh tokens. Clones are the same
/// ledger.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    saved: Family<Label, Counter>,
    cost: Family<Label, Counter>,
    retrievals: Family<Label, Counter>,
}

impl Ledger {
    /// Notes what a request adds: the blocks, by their positions, that are shortened from now on, each with the bytes of its form, and the
    /// answers of the retrieval tool among its blocks from `first_new` on.
    pub(crate) fn note(
        &self,
        (body, scan): (&[u8], &Scan),
        first_new: usize,
        shortened: &[(usize, usize)],
    ) {
        if !scan.offers_retrieval() {
            return;
        }
        let mut blocks = Blocks::new(body, scan);
        for (at, bytes) in shortened {
            if let Some(block) = blocks.without_text(*at) {
                let less = scan.blocks[*at].span.len().saturating_sub(*bytes);
                self.saves(kind(&block), scan.facts.tokens(less));
            }
        }
        let mut blocks = Blocks::new(body, scan);
        for at in first_new..scan.blocks.len() {
            let original = blocks.without_text(at).and_then(|block| fetched_by(&block));
            if let Some(kind) =
                original.and_then(|original| kind_of_original((body, scan), original))
            {
                let answer = scan.facts.tokens(scan.blocks[at].span.len());
                self.is_fetched(kind, (answer, scan.tokens()));
            }
        }
    }

    /// A text of this kind is sent with so many tokens less.
    fn saves(&self, kind: OutputKind, tokens: u64) {
        let of_kind = self.saved.get_or_create_owned(&label(kind));
        of_kind.inc_by(tokens.saturating_mul(TOKEN_PERCENT) / 100);
    }

    /// A text of this kind is fetched: the answer has so many tokens, and the request that brings it as many as stand in its messages.
    fn is_fetched(&self, kind: OutputKind, (answer, messages): (u64, u64)) {
        let answer = answer.saturating_mul(TOKEN_PERCENT) / 100;
        let turn = messages.saturating_mul(READ_PERCENT) / 100;
        let of_kind = self.cost.get_or_create_owned(&label(kind));
        of_kind.inc_by(answer.saturating_add(turn).saturating_add(CALL_TOKENS));
        self.retrievals.get_or_create_owned(&label(kind)).inc();
    }

    /// The kinds of which fetching has cost more than shortening saved: they are left whole.
    pub(crate) fn whole_kinds(&self) -> OutputKinds {
        let costs_more = |kind: &OutputKind| {
            let [saved, cost, retrievals] = self.sums(*kind);
            retrievals >= MIN_RETRIEVALS && cost > saved
        };
        OutputKind::ALL.into_iter().filter(costs_more).collect()
    }

    pub(crate) fn stats(&self) -> Value {
        let whole = self.whole_kinds();
        let kinds = OutputKind::ALL.into_iter().map(|kind| {
            let [saved, cost, retrievals] = self.sums(kind);
            let sums = json!({
                "saved_tokens": saved,
                "retrieval_cost_tokens": cost,
                "retrievals": retrievals,
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

    fn sums(&self, kind: OutputKind) -> [u64; 3] {
        let families = [&self.saved, &self.cost, &self.retrievals];
        families.map(|family| family.get_or_create_owned(&label(kind)).get())
    }
}

const fn label(kind: OutputKind) -> Label {
    [("kind", kind.name())]
}

/// What a block is whose text is of no interest.
fn kind(block: &JobBlock<()>) -> OutputKind {
    kind_of(Source {
        text: "",
        tool: block.tool.as_deref(),
        input: block.input.as_deref(),
    })
}

/// The original that a block is the answer to the call for.
fn fetched_by(block: &JobBlock<()>) -> Option<OriginalId> {
    original_fetched(block.tool.as_deref()?, block.input.as_deref()?)
}

/// What the block is of a request that is sent shortened with this original.
fn kind_of_original((body, scan): (&[u8], &Scan), original: OriginalId) -> Option<OutputKind> {
    let mut blocks = scan.blocks.iter();
    let at = blocks.position(|block| OriginalId::of(block.id) == original)?;
    Blocks::new(body, scan)
        .without_text(at)
        .map(|block| kind(&block))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use headroom_shared::contract::id::DigestKey;

    use super::*;
    use crate::dialect::DIALECTS;
    use crate::scan;

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

    #[test]
    fn a_kind_is_left_whole_once_fetching_it_costs_more_than_it_saves() {
        let ledger = Ledger::default();
        let (body, scan) = conversation(1);
        let fetch = || ledger.note((&body, &scan), 1, &[]);
        ledger.note((&body, &scan), 2, &[(0, 200)]);
        let [saved, cost, retrievals] = ledger.sums(OutputKind::Messages);
        assert!(saved > 0 && cost == 0 && retrievals == 0);
        for _ in 1..MIN_RETRIEVALS {
            fetch();
            assert!(ledger.whole_kinds().is_empty());
        }
        fetch();
        assert!(ledger.whole_kinds().contains(OutputKind::Messages));
        assert_eq!(ledger.stats()["messages"]["left_whole"], true);
        assert_eq!(ledger.stats()["search"]["retrievals"], 0);
        for _ in 0..20 {
            ledger.note((&body, &scan), 2, &[(0, 200)]);
        }
        assert!(ledger.whole_kinds().is_empty());
    }

    #[test]
    fn each_answer_in_a_request_counts() {
        let ledger = Ledger::default();
        let (body, scan) = conversation(3);
        ledger.note((&body, &scan), 2, &[]);
        assert_eq!(ledger.sums(OutputKind::Messages)[2], 2);
    }
}
