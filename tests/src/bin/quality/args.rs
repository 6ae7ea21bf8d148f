//! What can be asked for.

use std::path::PathBuf;

use clap::Parser;
use headroom_shared::contract::tier::Tier;

/// Measures what compression saves on recorded tool outputs and sessions, in exact tokens, how fast it is, and whether what an agent
/// needs later is still there.
#[derive(Debug, Parser)]
#[command(
    name = "quality",
    after_help = "The corpus is a folder with\n\
        \x20 tool_outputs/*.jsonl  a tool output a line: kind, tool, input, text\n\
        \x20 logs/, json/, tables/  outputs as files: the kinds log, json and csv\n\
        \x20 sessions/*.jsonl      recorded sessions\n\
        \x20 fidelity/*.jsonl      probes: usage_probes, kv_retrieval_75, nq_10_docs\n\
        What is not there is left out.\n\n\
        Sessions are sent as the proxy sends them with its default settings. The program fails if a form does not give its block back."
)]
pub(crate) struct Args {
    /// The folder of the corpus.
    #[arg(long, value_name = "DIR")]
    pub(crate) corpus: PathBuf,

    /// Write all figures to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// What forms may leave out: lossless: nothing; recoverable: what the agent can fetch again.
    #[arg(long, default_value = "lossless")]
    pub(crate) tier: Tier,

    /// Print three forms of each kind beside their originals, and measure nothing.
    #[arg(long, conflicts_with = "json")]
    pub(crate) show: bool,

    /// With --show: only this kind.
    #[arg(long, value_name = "KIND", requires = "show")]
    pub(crate) only: Option<String>,

    /// Rewrite the line numbers of reads in sessions as newer clients write them: `     1→` to `1`, tab.
    #[arg(long)]
    pub(crate) tab_numbers: bool,

    /// How often each tool output is compressed to measure the speed; the fastest round counts.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: u32,
}
