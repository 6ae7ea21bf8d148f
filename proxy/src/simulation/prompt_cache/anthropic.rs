//! Anthropic's cache: entries at markers.

use headroom_shared::contract::model::Model;
use headroom_shared::contract::usage::Usage;
use xxhash_rust::xxh3::xxh3_64;

use super::digest::chain;
use super::entries::{Entries, Moment};
use super::limits::{LOOK_BACK, Life, MOST_WRITES, anthropic_minimum};
use super::message::{Block, Message};
use super::request::Head;
use super::weight::Weight;

/// The parts of the prefix, in order. A block is not the same in another part.
const TOOLS: u64 = 1;
const SYSTEM: u64 = 2;
const MESSAGES: u64 = 3;

/// The request's blocks in the order of the prefix.
struct Prefix {
    chain: u64,
    weight: Weight,
    /// What names the prefix that ends with each block, and what it weighs.
    ends: Vec<(u64, Weight)>,
    marks: Vec<(usize, Life)>,
    /// The last block that takes a marker.
    last: Option<usize>,
}

impl Prefix {
    fn push(&mut self, part: u64, block: &Block) {
        self.chain = chain(self.chain, chain(part, block.digest.exact));
        self.weight += block.weight;
        let at = self.ends.len();
        self.ends.push((self.chain, self.weight));
        if let Some(life) = block.mark {
            self.marks.push((at, life));
        }
        if block.takes_mark {
            self.last = Some(at);
        }
    }

    fn of(model: &str, head: &Head, messages: &[&Message]) -> Self {
        let blocks = messages.iter().map(|message| message.blocks.len());
        let mut prefix = Self {
            chain: xxh3_64(model.as_bytes()),
            weight: Weight::default(),
            ends: Vec::with_capacity(head.blocks().count() + blocks.sum::<usize>()),
            marks: Vec::new(),
            last: None,
        };
        for tool in &head.tools {
            prefix.push(TOOLS, tool);
        }
        for block in &head.system {
            prefix.push(SYSTEM, block);
        }
        let has_image = messages.iter().any(|message| message.has_image());
        prefix.chain = chain(prefix.chain, chain(head.settings, has_image.into()));
        for message in messages {
            let part = chain(MESSAGES, message.role);
            for block in &message.blocks {
                prefix.push(part, block);
            }
        }
        if let (Some(life), Some(last)) = (head.marks_last, prefix.last)
            && prefix.marks.last().is_none_or(|(at, _)| *at != last)
        {
            prefix.marks.push((last, life));
        }
        prefix
    }
}

pub(super) fn serve(
    (entries, at): (&mut Entries, Moment),
    model: &str,
    head: &Head,
    messages: &[&Message],
) -> Usage {
    let prefix = Prefix::of(model, head, messages);
    let factor = Model::named(model).tokens_per_100_estimated;
    let tokens = |end: usize| prefix.ends[end].1.of_model(factor);
    let minimum = anthropic_minimum(model);
    // The API refuses a request with more of them.
    let first = prefix.marks.len().saturating_sub(MOST_WRITES);
    let marks = &prefix.marks[first..];
    let hit = marks.iter().rev().find_map(|&(mark, _)| {
        let from = (mark + 1).saturating_sub(LOOK_BACK);
        (from..=mark)
            .rev()
            .find(|&end| entries.is_readable(prefix.ends[end].0, at))
    });
    let read = hit.map_or(0, tokens);
    if let Some(end) = hit {
        entries.keep(prefix.ends[end].0, at, Life::Short.as_ms());
    }
    let (mut kept, mut kept_for_an_hour) = (read, read);
    for &(mark, life) in marks.iter().filter(|(mark, _)| tokens(*mark) >= minimum) {
        entries.keep(prefix.ends[mark].0, at, life.as_ms());
        kept = kept.max(tokens(mark));
        if life == Life::Hour {
            kept_for_an_hour = kept;
        }
    }
    Usage {
        read,
        written: kept - read,
        written_hour: kept_for_an_hour - read,
        input: prefix.weight.of_model(factor),
        output: 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::{MINUTE_MS, Session, words};
    use super::super::{Format, PromptCache};
    use super::*;

    fn user(text: &str) -> Value {
        json!({"role": "user", "content": text})
    }

    fn marked(text: &str) -> Value {
        marked_for(text, json!({"type": "ephemeral"}))
    }

    fn marked_for(text: &str, mark: Value) -> Value {
        json!({"role": "user", "content": [{"type": "text", "text": text, "cache_control": mark}]})
    }

    /// A session whose head has 10,000 tokens.
    fn session(marked: Option<Life>) -> Session {
        let head = Head::assumed(1, 10_000, 4, marked);
        Session::new(Format::Messages, "claude-sonnet-4-5", head)
    }

    fn body(change: impl FnOnce(&mut Value)) -> String {
        let mut body = json!({
            "model": "claude-sonnet-4-5",
            "tools": [{"name": "Bash", "description": words("tool", 2000), "cache_control": {"type": "ephemeral"}}],
            "system": [{"type": "text", "text": words("system", 2000), "cache_control": {"type": "ephemeral"}}],
            "messages": [user(&words("first", 2000)), marked("go")],
        });
        change(&mut body);
        body.to_string()
    }

    /// How many of tools, system and messages are read after a change.
    fn parts_read(change: impl FnOnce(&mut Value)) -> usize {
        let mut cache = PromptCache::default();
        let path = "/v1/messages?beta=true";
        let whole = cache.serve(path, body(|_| ()).as_bytes());
        assert_eq!((whole.read, whole.written), (0, whole.input));
        let read = cache.serve(path, body(change).as_bytes()).read;
        (read * 3).div_ceil(whole.input) as usize
    }

    #[test]
    fn nothing_is_cached_without_a_marker() {
        let mut session = session(None);
        session.messages = vec![user("go")];
        let usage = session.serve();
        assert!(usage.is_uncached() && usage.input > 10_000);
        assert_eq!(session.serve(), usage);
    }

    #[test]
    fn what_ends_at_a_marker_is_written_once_and_read_after() {
        let mut session = session(None);
        session.messages = vec![marked("go"), user(&words("more", 100))];
        let first = session.serve();
        assert_eq!(first.read, 0);
        assert!((10_000..10_020).contains(&first.written), "{first:?}");
        assert!(
            first.fresh() > 100,
            "only what follows the last marker is fresh"
        );
        let second = session.serve();
        assert_eq!((second.read, second.written), (first.written, 0));
    }

    #[test]
    fn markers_and_the_shape_of_a_text_are_no_part_of_the_prefix() {
        let mut session = session(None);
        session.messages = vec![marked("one")];
        let first = session.serve();
        session.messages = vec![
            user("one"),
            json!({"role": "assistant", "content": "ok"}),
            marked("two"),
        ];
        let second = session.serve();
        assert_eq!(second.read, first.written);
        assert_eq!(second.read + second.written, second.input);
        session.messages[0] = user("One");
        assert_eq!(session.serve().read, 0);
    }

    #[test]
    fn a_marker_at_the_top_level_marks_the_last_block_that_takes_one() {
        let mut session = session(None);
        session.head.marks_last = Some(Life::Short);
        let thought = json!({"type": "thinking", "thinking": "Hm.", "signature": "c2ln"});
        session.messages = vec![
            user("one"),
            json!({"role": "assistant", "content": [thought]}),
        ];
        let usage = session.serve();
        assert!(
            usage.written > 10_000 && usage.written < usage.input,
            "{usage:?}"
        );
    }

    #[test]
    fn a_lookup_goes_back_twenty_blocks() {
        for (between, read) in [(18, true), (19, true), (20, false)] {
            let mut session = session(None);
            session.messages = vec![marked("one")];
            session.serve();
            session.messages[0] = user("one");
            session
                .messages
                .extend((0..between).map(|at| user(&format!("more {at}"))));
            let last = session.messages.len() - 1;
            session.messages[last] = marked("last");
            assert_eq!(session.serve().read > 0, read, "{between}");
        }
    }

    #[test]
    fn the_last_four_markers_count() {
        let mut session = session(Some(Life::Short));
        session.messages = (0..4).map(|at| marked(&format!("{at}"))).collect();
        session.serve();
        session.messages = vec![marked("another")];
        assert_eq!(session.serve().read, 0, "the head's marker was the fifth");
        session.messages = vec![marked("a third")];
        assert_eq!(session.serve().read, 10_000);
    }

    #[test]
    fn an_entry_lives_from_the_start_of_the_request_and_a_read_renews_it() {
        let mut session = session(None);
        session.messages = vec![marked("go")];
        assert_eq!(session.serve().read, 0);
        for _ in 0..3 {
            assert!(session.serve_after(4).read > 0);
        }
        assert_eq!(session.serve_after(5).read, 0);
    }

    #[test]
    fn an_hour_is_renewed_as_an_hour() {
        let mut session = session(None);
        session.messages = vec![marked_for("go", json!({"type": "ephemeral", "ttl": "1h"}))];
        let first = session.serve();
        assert_eq!(first.written_hour, first.written);
        session.messages = vec![marked("go")];
        for _ in 0..3 {
            let usage = session.serve_after(59);
            assert_eq!((usage.read, usage.written), (first.written, 0));
        }
        assert_eq!(session.serve_after(60).read, 0);
    }

    #[test]
    fn what_is_kept_for_an_hour_is_stated_apart() {
        let mut session = session(Some(Life::Hour));
        session.messages = vec![marked(&words("more", 500))];
        let usage = session.serve();
        assert_eq!(usage.written_hour, 10_000);
        assert_eq!(usage.written, usage.input);
        // After ten minutes the head is still there.
        let later = session.serve_after(10);
        assert_eq!((later.read, later.written_hour), (10_000, 0));
        assert_eq!(later.written, usage.written - 10_000);
    }

    #[test]
    fn an_entry_is_readable_when_its_response_begins() {
        let mut session = session(None);
        session.cache.response_delay_ms = 3000;
        session.messages = vec![marked("go")];
        let first = session.serve();
        session.cache.now_ms += 2999;
        assert_eq!(session.serve(), first, "it is written again");
        session.cache.now_ms += 1;
        assert_eq!(session.serve().read, first.written);
        session.cache.now_ms += 5 * MINUTE_MS;
        assert_eq!(session.serve().read, 0);
    }

    #[test]
    fn short_prefixes_are_not_cached() {
        for (model, minimum) in [("claude-opus-4-6", 4096), ("claude-opus-5-5", 512)] {
            for (tokens, is_cached) in [(minimum - 100, false), (minimum, true)] {
                let head = Head::assumed(1, tokens, 1, None);
                let mut session = Session::new(Format::Messages, model, head);
                session.messages = vec![marked("go")];
                session.serve();
                assert_eq!(session.serve().read > 0, is_cached, "{model} {tokens}");
            }
        }
    }

    #[test]
    fn tools_and_the_model_miss_everything_and_system_what_follows() {
        assert_eq!(parts_read(|_| ()), 3);
        assert_eq!(
            parts_read(|body| body["model"] = json!("claude-sonnet-4-6")),
            0
        );
        assert_eq!(
            parts_read(|body| body["tools"][0]["name"] = json!("Grep")),
            0
        );
        assert_eq!(
            parts_read(|body| body["system"][0]["text"] = json!("no")),
            1
        );
        assert_eq!(
            parts_read(|body| body["messages"][0]["content"] = json!("no")),
            2
        );
        assert_eq!(parts_read(|body| body["max_tokens"] = json!(3)), 3);
    }

    #[test]
    fn settings_miss_the_messages_only() {
        for (name, value) in [
            ("tool_choice", json!({"type": "any"})),
            ("thinking", json!({"type": "enabled", "budget_tokens": 9})),
            ("output_config", json!({"effort": "low"})),
        ] {
            assert_eq!(parts_read(|body| body[name] = value), 2, "{name}");
        }
        let source = json!({"type": "base64", "media_type": "image/png", "data": "aGk="});
        let image = json!({"type": "image", "source": source});
        let add = |body: &mut Value| {
            let messages = body["messages"].as_array_mut().unwrap();
            messages.push(json!({"role": "user", "content": [image]}));
        };
        assert_eq!(parts_read(add), 2);
    }
}
