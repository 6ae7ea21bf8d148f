//! Why new blocks went out in the original, as the proxy's log says it, one line a block.

use serde::Deserialize;

/// What each of those lines says.
const MESSAGE: &str = "a new block goes out in the original";

/// The blocks of a log.
#[derive(Debug, Default)]
pub(crate) struct Lost(Vec<Block>);

#[derive(Debug, Deserialize)]
struct Block {
    reason: String,
    #[serde(rename = "block.bytes")]
    bytes: usize,
}

impl Lost {
    /// Reads a log of JSON lines.
    pub(crate) fn read(log: &str) -> Self {
        let lines = log.lines().filter(|line| line.contains(MESSAGE));
        Self(lines.flat_map(serde_json::from_str).collect())
    }

    /// Why a block of one of these lengths, escaped or not, went out in the original; `?` where nothing is said of it. Each
    /// line is used once.
    pub(crate) fn reason(&mut self, lengths: [usize; 2]) -> String {
        let at = self.0.iter().position(|lost| lengths.contains(&lost.bytes));
        at.map_or("?".to_owned(), |at| self.0.remove(at).reason)
    }
}
