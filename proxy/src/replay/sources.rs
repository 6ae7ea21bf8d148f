//! Where a session's savings come from: by the tool whose output was sent smaller, by how its text was made smaller, and by when that came
//! into use.

use std::collections::{BTreeMap, HashMap};

use headroom_shared::compress::estimated_millitokens;
use headroom_shared::contract::id::PrefixId;
use headroom_shared::contract::job::Place;
use headroom_shared::contract::prefix::unescaped;

use super::conversation::Body;
use crate::plan::blocks;
use crate::plan::landing::{Landing, Occasion};
use crate::prices::Rates;
use crate::scan::Block;
use crate::simulation::turn::Turn;

/// What the first words of a form's header say of what was done (`docs/forms.md`).
const KINDS: [(&str, &str); 12] = [
    ("the same text", "whole repeats"),
    ("\"[lines A-B", "lines sent before"),
    ("line numbers", "line numbers"),
    ("search results", "search results"),
    ("\"[×N]", "repeated lines"),
    ("log times", "logs"),
    ("log lines", "logs"),
    ("JSON", "JSON"),
    ("§", "path beginnings"),
    ("¶", "path beginnings"),
    ("\"diff F", "diffs"),
    ("terminal colours", "colours"),
];

/// What a form's header begins with.
const OPENING: &str = "[headroom: ";

/// The name under which the user's own texts are counted.
const USER_TEXT: &str = "(user text)";

/// When a form came into use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Use {
    /// When its block was sent first.
    Entry,
    /// When a worker's result landed, of which the provider had nothing in its cache.
    ColdLanding,
    /// When one landed of which it may have had the originals there.
    WarmLanding,
}

impl Use {
    /// Its name in reports.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Entry => "entry",
            Self::ColdLanding => "cold landing",
            Self::WarmLanding => "warm landing",
        }
    }
}

/// Where a part of the savings comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Source {
    pub(super) tool: String,
    pub(super) kind: &'static str,
    pub(super) used: Use,
}

/// Tokens of tool results and long user texts, each counted once, when it was sent first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tokens {
    pub(super) original: u64,
    pub(super) saved: u64,
}

/// Where the savings of one or more sessions come from, and what stood in the way of more.
#[derive(Debug, Default)]
pub(super) struct Sources {
    /// The blocks that were seen, and what their forms save in thousandths of a token.
    seen: HashMap<(PrefixId, Place), Option<(Source, u64)>>,
    /// What each source saves, in dollars.
    pub(super) usd: BTreeMap<Source, f64>,
    /// By tool.
    pub(super) tokens: BTreeMap<String, Tokens>,
    /// How many requests a prefix that was left to a worker waited in, or landed in, by why.
    pub(super) landings: BTreeMap<&'static str, u64>,
    /// How many blocks were sent in the original, by why.
    pub(super) skipped: BTreeMap<&'static str, u64>,
}

impl Sources {
    /// Counts a request that the proxy has sent, at these rates.
    pub(super) fn count(&mut self, body: &Body, turn: &Turn, rates: &Rates) {
        for (_, reason) in &turn.skipped {
            *self.skipped.entry(reason.name()).or_default() += 1;
        }
        if let Some(landing) = turn.landing {
            *self.landings.entry(landing.name()).or_default() += 1;
        }
        let first_rate = if turn.usage.written_hour > 0 {
            rates.write_hour
        } else if turn.usage.written > 0 {
            rates.write
        } else {
            rates.input
        };
        let again_rate = if turn.usage.read > 0 {
            rates.read
        } else {
            first_rate
        };
        let mut forms = turn.forms.iter().peekable();
        for (index, block) in turn.scan.blocks.iter().enumerate() {
            let form = forms
                .next_if(|(at, _)| *at == index)
                .map(|(_, form)| &form[..]);
            let key = (turn.scan.prefix_with(block), block.place);
            let known = self.seen.get(&key);
            let rate = if known.is_some_and(Option::is_some) {
                again_rate
            } else {
                first_rate
            };
            if known.is_none() || (known == Some(&None) && form.is_some()) {
                let source = self.source(body, turn, (block, form), known.is_none());
                self.seen.insert(key, source);
            }
            if form.is_some()
                && let Some(Some((source, saved))) = self.seen.get(&key)
            {
                let usd = *saved as f64 * rate / 1e9;
                *self.usd.entry(source.clone()).or_default() += usd;
            }
        }
    }

    /// The source of what a block's form saves; `None` without a form. Counts the block's tokens.
    fn source(
        &mut self,
        body: &Body,
        turn: &Turn,
        (block, form): (&Block, Option<&[u8]>),
        is_first: bool,
    ) -> Option<(Source, u64)> {
        let original = unescaped(&body.bytes[block.span.clone()]).unwrap_or_default();
        let tool = blocks::tool(&body.bytes, &turn.scan, block);
        let tool = tool.unwrap_or_else(|| USER_TEXT.to_owned());
        let before = estimated_millitokens(&original);
        let form = form.map(|form| unescaped(form).unwrap_or_default());
        let after = form
            .as_ref()
            .map_or(before, |form| estimated_millitokens(form));
        let saved = before.saturating_sub(after);
        let tokens = self.tokens.entry(tool.clone()).or_default();
        tokens.original += if is_first { before / 1000 } else { 0 };
        tokens.saved += saved / 1000;
        let from_model = turn.scan.last_from_model();
        let was_sent = from_model.is_some_and(|last| block.place.message as usize <= last);
        let used = match turn.landing.filter(|_| was_sent) {
            Some(Landing::Lands(Occasion::Pays)) => Use::WarmLanding,
            Some(Landing::Lands(_)) => Use::ColdLanding,
            _ => Use::Entry,
        };
        let source = Source {
            tool,
            kind: kind(&form?),
            used,
        };
        Some((source, saved))
    }

    /// Makes what the sources save add up to `usd`: what stands behind them is cached or not as the whole request is.
    pub(super) fn scale_to(&mut self, usd: f64) {
        let sum: f64 = self.usd.values().sum();
        if sum > 0.0 {
            self.usd.values_mut().for_each(|it| *it *= usd / sum);
        }
        self.seen = HashMap::new();
    }

    /// Adds those of another session.
    pub(super) fn add(&mut self, other: &Self) {
        for (source, usd) in &other.usd {
            *self.usd.entry(source.clone()).or_default() += usd;
        }
        for (tool, tokens) in &other.tokens {
            let sum = self.tokens.entry(tool.clone()).or_default();
            sum.original += tokens.original;
            sum.saved += tokens.saved;
        }
        for (name, count) in &other.landings {
            *self.landings.entry(name).or_default() += count;
        }
        for (name, count) in &other.skipped {
            *self.skipped.entry(name).or_default() += count;
        }
    }
}

/// What was done to the text of a form: what its first header says, or the one below what stands around it.
fn kind(form: &str) -> &'static str {
    let headers = form.lines().filter_map(|line| line.strip_prefix(OPENING));
    let mut kinds = headers.filter_map(|header| {
        let kind = KINDS.iter().find(|(start, _)| header.starts_with(start));
        kind.map(|(_, kind)| *kind)
    });
    kinds.next().unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use headroom_shared::compress::{Earlier, Source, compress};

    use super::*;

    fn lines(line: impl Fn(usize) -> String) -> String {
        (1..=60).map(|number| line(number) + "\n").collect()
    }

    #[test]
    fn a_form_s_kind_is_read_from_its_header() {
        let rows = lines(|number| format!(r#"{{"identifier":{number},"state":"open"}}"#));
        let rows = format!("[{}]", rows.trim_end().replace('\n', ","));
        let wrapped = format!("Exit code: 0\nWall time: 0.1 seconds\nOutput:\n{rows}\n");
        let path = |number: usize| {
            let folder = ["api", "database", "pages"][number % 3];
            let size = number * 37 % 1000;
            format!("{size} /srv/work/app/src/components/{folder}/part_{number}.tsx {folder}")
        };
        for (command, text, expected) in [
            ("gh api x", rows, "JSON"),
            ("gh api x", wrapped, "JSON"),
            (
                "make",
                lines(|number| format!("warning: {} is unused", number / 30)),
                "repeated lines",
            ),
            ("find .", lines(path), "path beginnings"),
            (
                "rg -n value",
                lines(|number| format!("src/deep/folder/file_{}.rs:{number}: value", number / 20)),
                "search results",
            ),
        ] {
            let input = serde_json::json!({"command": command}).to_string();
            let source = Source {
                text: &text,
                tool: Some("Bash"),
                input: Some(&input),
            };
            let form = compress(source, &Earlier::default()).unwrap();
            assert_eq!(kind(&form), expected, "{form}");
            let mut earlier = Earlier::default();
            earlier.push(source);
            let again = compress(source, &earlier).unwrap();
            assert_eq!(kind(&again), "whole repeats", "{again}");
        }
        let read = lines(|number| format!("{number:>6}\u{2192}let value_{number} = {number};"));
        let source = Source {
            text: &read,
            tool: Some("Read"),
            input: Some(r#"{"file_path":"/srv/a.rs"}"#),
        };
        let form = compress(source, &Earlier::default()).unwrap();
        assert_eq!(kind(&form), "line numbers", "{form}");
        assert_eq!(kind("a text"), "other");
    }
}
