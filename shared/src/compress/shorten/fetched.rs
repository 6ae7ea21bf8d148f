//! [`Fetched`]: what the agent has fetched again in a conversation.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;

use super::call_kind::{is_of, kind_of};
use crate::compress::Source;
use crate::contract::id::OriginalId;
use crate::contract::output_kind::OutputKinds;
use crate::contract::retrieval::is_retrieval_tool;

/// A kind of output of which so many were fetched again is left alone.
const MANY: usize = 2;

/// What the agent has fetched again in a conversation.
#[derive(Debug, Default)]
pub struct Fetched {
    originals: HashSet<OriginalId>,
    kinds: OutputKinds,
}

/// The arguments of the retrieval tool, as far as they are of interest.
#[derive(Deserialize)]
struct Arguments {
    id: String,
}

impl Fetched {
    /// These originals, those of some of these blocks, in their order: the first block that has one counts, a later one may be what fetched it.
    #[must_use]
    pub fn of<'a>(
        originals: HashSet<OriginalId>,
        blocks: impl Iterator<Item = (OriginalId, Source<'a>)>,
    ) -> Self {
        let mut left = originals.clone();
        let mut by_kind: HashMap<_, usize> = HashMap::new();
        for (original, block) in blocks {
            if left.remove(&original) {
                *by_kind.entry(kind_of(block)).or_default() += 1;
            }
        }
        let often = by_kind.into_iter().filter(|(_, count)| *count >= MANY);
        Self {
            originals,
            kinds: often.map(|(kind, _)| kind).collect(),
        }
    }

    /// Whether a text was fetched again.
    #[must_use]
    pub fn has(&self, original: OriginalId) -> bool {
        self.originals.contains(&original)
    }

    /// Whether a block stays whole: it was fetched again, or is of one of these kinds, or of one of which several were.
    #[must_use]
    pub fn keeps(&self, original: OriginalId, block: Source<'_>, whole_kinds: OutputKinds) -> bool {
        self.has(original) || is_of(block, whole_kinds.union(self.kinds))
    }

    /// The kinds of which several were.
    #[must_use]
    pub const fn kinds(&self) -> OutputKinds {
        self.kinds
    }
}

/// The original that a call fetches: a tool's name, and its input as JSON text.
#[must_use]
pub fn original_fetched(tool: &str, input: &str) -> Option<OriginalId> {
    let input = is_retrieval_tool(tool).then_some(input)?;
    let Arguments { id } = serde_json::from_str(input).ok()?;
    id.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::id::BlockId;
    use crate::contract::output_kind::OutputKind;

    #[test]
    fn a_kind_counts_once_two_of_it_were_fetched() {
        let id = |n| OriginalId::of(BlockId::from_bytes([n; 16]));
        let block = |n, tool| {
            let source = Source {
                text: "text",
                tool: Some(tool),
                input: Some("{}"),
            };
            (id(n), source)
        };
        let blocks = [
            block(1, "Grep"),
            block(2, "Grep"),
            block(3, "Glob"),
            block(4, "Glob"),
            block(1, "mcp__x__headroom_retrieve"),
            block(2, "mcp__x__headroom_retrieve"),
        ];
        let inputs = [1, 2, 3, 3, 9].map(|n| format!(r#"{{"id":"{}"}}"#, id(n)));
        let originals = |tool| {
            inputs
                .iter()
                .filter_map(move |input| original_fetched(tool, input))
        };
        let fetched = originals("mcp__x__headroom_retrieve").collect();
        let fetched = Fetched::of(fetched, blocks.into_iter());
        assert!(fetched.has(id(3)) && !fetched.has(id(4)));
        assert!(fetched.kinds().contains(OutputKind::Search));
        assert!(!fetched.kinds().contains(OutputKind::Listing));
        assert!(!fetched.kinds().contains(OutputKind::Other));
        let others = originals("Read").collect();
        assert!(!Fetched::of(others, [block(1, "Grep")].into_iter()).has(id(1)));
    }

    #[test]
    fn white_space_around_an_id_is_no_part_of_it() {
        let id = OriginalId::of(BlockId::from_bytes([1; 16]));
        let input = serde_json::json!({"id": format!(" {id}\n")}).to_string();
        let fetched = original_fetched("mcp__x__headroom_retrieve", &input);
        assert_eq!(fetched, Some(id));
    }
}
