//! [`Fetched`]: what the agent has fetched again.

use std::collections::{HashMap, HashSet};

use headroom_shared::contract::id::OriginalId;
use headroom_shared::contract::job::{JobBlock, JobCall};
use headroom_shared::contract::retrieval::is_retrieval_tool;
use serde::Deserialize;

/// A kind of output that was fetched again so often is left alone.
const MANY_RETRIEVALS: usize = 2;

/// What the agent has fetched again.
pub(super) struct Fetched {
    originals: HashSet<OriginalId>,
    /// The tools of whose outputs it has fetched several.
    tools: HashSet<String>,
}

/// The arguments of the retrieval tool, as far as they are of interest.
#[derive(Deserialize)]
struct Retrieval {
    id: String,
}

impl Fetched {
    pub(super) fn of(blocks: &[JobBlock]) -> Self {
        let of_block =
            |block: &JobBlock| retrieved(block.tool.as_deref()?, block.input.as_deref()?);
        let of_call = |call: &JobCall| retrieved(&call.tool, &call.input);
        let by_calls = blocks.iter().flat_map(|block| &block.calls);
        let originals: HashSet<OriginalId> = blocks
            .iter()
            .filter_map(of_block)
            .chain(by_calls.filter_map(of_call))
            .collect();
        let mut counts: HashMap<&str, HashSet<OriginalId>> = HashMap::new();
        for block in blocks {
            let original = OriginalId::of(block.block);
            if let Some(tool) = block.tool.as_deref()
                && originals.contains(&original)
            {
                counts.entry(tool).or_default().insert(original);
            }
        }
        let often = counts.into_iter();
        let often = often.filter(|(_, fetched)| fetched.len() >= MANY_RETRIEVALS);
        Self {
            originals,
            tools: often.map(|(tool, _)| tool.to_owned()).collect(),
        }
    }

    /// Whether a block is left alone, because it, or several of its kind, were fetched again.
    pub(super) fn has(&self, block: &JobBlock) -> bool {
        let is_kind = |tool: &String| self.tools.contains(tool);
        self.originals.contains(&OriginalId::of(block.block))
            || block.tool.as_ref().is_some_and(is_kind)
    }
}

/// The original that a call fetches.
fn retrieved(tool: &str, input: &str) -> Option<OriginalId> {
    let input = is_retrieval_tool(tool).then_some(input)?;
    let Retrieval { id } = serde_json::from_str(input).ok()?;
    id.parse().ok()
}
