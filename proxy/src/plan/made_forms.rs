//! Forms of blocks for which there was no time while their requests waited. They are made when these have gone out, and kept in memory for the
//! next time that the same text is sent for the first time: by a retry of a request that was refused, in another branch of the conversation,
//! or in another conversation.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Instant;

use bytes::Bytes;
use headroom_shared::compress::Earlier;
use headroom_shared::contract::id::{BlockId, PrefixId};
use headroom_shared::contract::job::JobBlock;
use headroom_shared::contract::prefix::{Form, unescaped};
use headroom_shared::contract::tier::Tier;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use xxhash_rust::xxh3::Xxh3;

use super::blocks::{Blocks, call_alone};
use super::first_send::{BlocksToCompress, compress_blocks};
use super::history::prepared;
use super::history_cache::HistoryCache;
use crate::scan::{Block, Scan};

/// Bytes of forms that are kept.
const BYTES: u64 = 16 << 20;
/// What a form takes besides its text, in bytes, about.
const BYTES_BESIDE: u64 = 160;

/// The forms, as many as there is room for.
#[derive(Debug)]
pub(crate) struct MadeForms(Cache<Key, Form, Weights>);

/// Where a form may be used: all that it is a function of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    /// It says its text by itself: wherever this block is the output of the same tool call.
    Anywhere {
        block: BlockId,
        call: CallDigest,
        tier: Tier,
    },
    /// It may refer to what stands before the block: behind the same messages alone, as far as the model sees them.
    Here {
        message: PrefixId,
        part: u32,
        inner: u32,
        first_visible: usize,
        tiers: (Tier, Tier),
    },
}

/// The digest of a tool's name and of its call's input.
type CallDigest = u128;

#[derive(Debug, Clone)]
struct Weights;

impl Weighter<Key, Form> for Weights {
    fn weight(&self, _: &Key, form: &Form) -> u64 {
        BYTES_BESIDE + form.text.len() as u64
    }
}

impl MadeForms {
    pub(crate) fn new() -> Self {
        Self(Cache::with_weighter(256, BYTES, Weights))
    }

    /// The forms that are kept for the new ones of these blocks of a request.
    pub(crate) fn find(
        &self,
        (body, scan): (&[u8], &Scan),
        to_compress: &BlocksToCompress,
    ) -> BTreeMap<usize, Form> {
        if self.0.is_empty() {
            return BTreeMap::new();
        }
        let mut blocks = Blocks::new(body, scan);
        let mut form = |at: usize| {
            let block = blocks.without_text(at)?;
            let tiers = (to_compress.tier_of(call_alone(&block)), to_compress.tiers.1);
            let here = here(scan, &scan.blocks[at], tiers);
            let here = here.and_then(|key| self.0.get(&key));
            here.or_else(|| self.0.get(&anywhere(&block, tiers.0)))
        };
        let found = to_compress.new.iter().map(|at| (*at, form(*at)));
        found.filter_map(|(at, form)| Some((at, form?))).collect()
    }

    /// Makes the forms of these blocks of a request until this moment, and keeps them.
    pub(crate) fn make(
        &self,
        (body, scan): (&Bytes, &Scan),
        to_compress: &BlocksToCompress,
        histories: &HistoryCache,
        until: Instant,
    ) {
        let mut blocks = Blocks::new(body, scan);
        let on_result = |at: usize, result| {
            if let Ok(form) = result
                && let Some(block) = blocks.unescaped(at)
            {
                let tiers = (to_compress.tier_of(block.source()), to_compress.tiers.1);
                self.keep(scan, at, &block, (form, tiers));
            }
            ControlFlow::Continue(())
        };
        compress_blocks((body, scan), to_compress, histories, until, on_result);
    }

    fn keep(&self, scan: &Scan, at: usize, block: &JobBlock, (form, tiers): (Form, (Tier, Tier))) {
        let text = unescaped(form.text.as_bytes());
        let prepared = prepared(block, tiers.0);
        let says_all = text.is_some_and(|text| prepared.gives_back(&text, &Earlier::default()));
        let key = if says_all {
            Some(anywhere(block, tiers.0))
        } else {
            here(scan, &scan.blocks[at], tiers)
        };
        if let Some(key) = key {
            self.0.insert(key, form);
        }
    }
}

fn anywhere<Text>(block: &JobBlock<Text>, tier: Tier) -> Key {
    let mut call = Xxh3::new();
    for part in [&block.tool, &block.input] {
        let part = part.as_deref();
        call.update(
            &part
                .map_or(u64::MAX, |part| part.len() as u64)
                .to_le_bytes(),
        );
        call.update(part.unwrap_or_default().as_bytes());
    }
    Key::Anywhere {
        block: block.block,
        call: call.digest128(),
        tier,
    }
}

/// None where a form may not refer to anything.
fn here(scan: &Scan, block: &Block, tiers: (Tier, Tier)) -> Option<Key> {
    scan.references.then(|| Key::Here {
        message: scan.prefix_with(block),
        part: block.place.part,
        inner: block.place.inner,
        first_visible: scan.first_visible_message(),
        tiers,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use headroom_shared::contract::id::DigestKey;
    use serde_json::{Value, json};

    use super::*;
    use crate::dialect::DIALECTS;
    use crate::scan;

    const AMPLE: Duration = Duration::from_secs(600);

    fn listing(first: usize) -> String {
        let line = |n: usize| format!("src/some/long/folder/of/modules/module_{n}.rs\n");
        (first..first + 200).map(line).collect()
    }

    /// A call of the tool and its output.
    fn call(id: &str, command: &str, output: &str) -> [Value; 2] {
        let call =
            json!({"type": "tool_use", "id": id, "name": "Bash", "input": {"command": command}});
        let result = json!({"type": "tool_result", "tool_use_id": id, "content": output});
        [
            json!({"role": "assistant", "content": [call]}),
            json!({"role": "user", "content": [result]}),
        ]
    }

    fn request(more: Value, messages: &[[Value; 2]]) -> (Bytes, Scan) {
        let begin = json!({"role": "user", "content": "Begin."});
        let messages: Vec<&Value> = [&begin]
            .into_iter()
            .chain(messages.iter().flatten())
            .collect();
        let mut body = json!({"model": "claude-opus-4-6", "max_tokens": 9, "messages": messages});
        if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
            body.extend(more);
        }
        let body = Bytes::from(body.to_string());
        let scan = scan::scan(&body, DIALECTS[0], &DigestKey::from_bytes([7; 32])).unwrap();
        (body, scan)
    }

    /// The forms that are found for all blocks of a request, once those of the last block of another are made.
    fn found_after_making(
        (body, scan): &(Bytes, Scan),
        (other_body, other_scan): &(Bytes, Scan),
    ) -> Vec<usize> {
        let made = MadeForms::new();
        let last = BlocksToCompress::new_from(scan.blocks.len() - 1, scan);
        let until = Instant::now() + AMPLE;
        made.make((body, scan), &last, &HistoryCache::new(), until);
        let all = BlocksToCompress::new_from(0, other_scan);
        let found = made.find((other_body, other_scan), &all);
        assert!(found.iter().all(|(at, form)| {
            let block = &other_scan.blocks[*at];
            Form::new(block.id, &unescaped(form.text.as_bytes()).unwrap()) == *form
        }));
        found.into_keys().collect()
    }

    #[test]
    fn a_form_that_says_its_text_by_itself_is_found_wherever_the_same_call_says_the_same() {
        let text = listing(0);
        let made = request(json!({}), &[call("a", "find src", &text)]);
        assert_eq!(found_after_making(&made, &made), [0]);
        let elsewhere = [call("x", "ls", "short"), call("y", "find src", &text)];
        assert_eq!(
            found_after_making(&made, &request(json!({}), &elsewhere)),
            [0]
        );
        let other_text = [call("a", "find src", &listing(1))];
        assert!(found_after_making(&made, &request(json!({}), &other_text)).is_empty());
        let other_call = [call("a", "cat files", &text)];
        assert!(found_after_making(&made, &request(json!({}), &other_call)).is_empty());
    }

    #[test]
    fn a_form_that_refers_to_what_stands_before_it_is_found_there_alone() {
        let text = listing(0);
        let twice = [call("a", "find src", &text), call("b", "find .", &text)];
        let made = request(json!({}), &twice);
        assert_eq!(found_after_making(&made, &made), [1]);
        let longer = [&twice[..], &[call("c", "ls", "short")]].concat();
        assert_eq!(found_after_making(&made, &request(json!({}), &longer)), [1]);
        let other_before = [call("a", "find src", &listing(1)), twice[1].clone()];
        assert!(found_after_making(&made, &request(json!({}), &other_before)).is_empty());
        // The provider may drop what it refers to.
        let edits =
            json!({"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}});
        assert!(found_after_making(&made, &request(edits, &twice)).is_empty());
    }
}
