//! Tokens before and after, exactness and time, summed up over many blocks.

use std::ops::AddAssign;
use std::time::Duration;

use headroom_shared::compress::{Earlier, Prepared, Source, expand, gives_back};
use headroom_shared::contract::id::{BlockId, OriginalId};
use headroom_shared::contract::tier::Tier;
use rustix::time::{ClockId, clock_gettime};

/// Any name does for an original that nobody fetches.
const ORIGINAL: OriginalId = OriginalId::of(BlockId::from_bytes([0; 16]));

/// A block whose form may leave out what `tier` says.
pub(crate) fn prepared(block: Source<'_>, tier: Tier) -> Prepared<'_> {
    Prepared::of(block).in_tier(tier, ORIGINAL)
}

/// The exact number of tokens of a text.
pub(crate) fn tokens(text: &str) -> usize {
    bpe_openai::o200k_base().count(text)
}

/// The CPU time that this thread has taken: what else the machine does is not in it.
pub(crate) fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = time.tv_sec.unsigned_abs();
    let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(seconds, nanoseconds)
}

/// Tokens of blocks as the client wrote them, and as they went out.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tokens {
    pub(crate) before: usize,
    pub(crate) after: usize,
}

/// How many forms expand to what they were made of.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exactness {
    pub(crate) blocks: usize,
    pub(crate) forms: usize,
    /// Byte for byte.
    pub(crate) exact: usize,
    /// But for the colours of a command's output, which the form says.
    pub(crate) colourless: usize,
    /// Shortened: it shows nothing but what the block says.
    pub(crate) shortened: usize,
}

/// Bytes, and the CPU time that they took.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Speed {
    pub(crate) bytes: usize,
    pub(crate) time: Duration,
}

impl Tokens {
    /// Those of a block that goes out as this text.
    pub(crate) fn of(original: &str, sent: Option<&str>) -> Self {
        let before = tokens(original);
        let after = sent.map_or(before, tokens);
        Self { before, after }
    }

    /// What is removed, in percent.
    pub(crate) fn removed(self) -> f64 {
        100.0 * (1.0 - self.after as f64 / (self.before as f64).max(1.0))
    }
}

impl Exactness {
    /// That of a block's form, which may leave out what `tier` says, given what stands before it.
    pub(crate) fn of(
        (block, tier): (Source<'_>, Tier),
        form: Option<&str>,
        earlier: &Earlier,
    ) -> Self {
        let exact = form
            .is_some_and(|form| expand(form, earlier).is_ok_and(|expanded| expanded == block.text));
        let colourless = !exact && form.is_some_and(|form| gives_back(form, block, earlier));
        let is_shortened = |form| prepared(block, tier).gives_back(form, earlier);
        let shortened = !exact && !colourless && form.is_some_and(is_shortened);
        Self {
            blocks: 1,
            forms: usize::from(form.is_some()),
            exact: usize::from(exact),
            colourless: usize::from(colourless),
            shortened: usize::from(shortened),
        }
    }

    /// Whether every form gives its block back.
    pub(crate) const fn is_whole(self) -> bool {
        self.exact + self.colourless + self.shortened == self.forms
    }
}

impl Speed {
    /// Megabytes a second.
    pub(crate) fn mb_per_s(self) -> f64 {
        self.bytes as f64 / 1e6 / self.time.as_secs_f64().max(1e-9)
    }
}

impl AddAssign for Tokens {
    fn add_assign(&mut self, other: Self) {
        self.before += other.before;
        self.after += other.after;
    }
}

impl AddAssign for Exactness {
    fn add_assign(&mut self, other: Self) {
        self.blocks += other.blocks;
        self.forms += other.forms;
        self.exact += other.exact;
        self.colourless += other.colourless;
        self.shortened += other.shortened;
    }
}

impl AddAssign for Speed {
    fn add_assign(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.time += other.time;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_those_of_o200k() {
        // The examples of OpenAI's cookbook.
        assert_eq!(tokens("antidisestablishmentarianism"), 6);
        assert_eq!(tokens("2 + 2 = 4"), 7);
        assert_eq!(tokens("お誕生日おめでとう"), 8);
        assert_eq!(
            Tokens::of("hello world", None),
            Tokens {
                before: 2,
                after: 2
            }
        );
        assert_eq!(
            Tokens {
                before: 8,
                after: 6
            }
            .removed(),
            25.0
        );
    }

    #[test]
    fn a_form_that_does_not_expand_is_not_exact() {
        let block = Source {
            text: "text",
            tool: None,
            input: None,
        };
        let none = Exactness::of((block, Tier::Lossless), None, &Earlier::default());
        assert!(none.is_whole() && none.forms == 0);
        let damaged = Exactness::of(
            (block, Tier::Lossless),
            Some("[headroom: no]\ntext"),
            &Earlier::default(),
        );
        assert!(!damaged.is_whole());
    }
}
