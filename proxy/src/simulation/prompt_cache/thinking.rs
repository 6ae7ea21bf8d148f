//! Thinking that is bound to what stood before it when the model thought it.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;
use thiserror::Error;
use xxhash_rust::xxh3::xxh3_64;

use super::digest::chain;
use super::message::{Message, Speaker};
use super::request::Head;

/// Thinking came back behind something else than what it was answered to. The text is what the API says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "messages.{message}.content.{block}: Invalid `signature` in `thinking` block. The block is bound to a different conversation. \
     Remove the block, or set `thinking.block_binding.prefix_mismatch_behavior` to \"drop_block\"."
)]
pub struct PrefixMismatch {
    /// The message in which it stands.
    pub message: usize,
    /// Its place in that message's content.
    pub block: usize,
}

impl PrefixMismatch {
    /// The body of the API's response, which has the status 400.
    #[must_use]
    pub fn body(self) -> String {
        let error =
            serde_json::json!({"type": "invalid_request_error", "message": self.to_string()});
        serde_json::json!({"type": "error", "error": error}).to_string()
    }
}

/// What thinking was answered to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Bound {
    /// Names system, tools and what stood before the model's message, thinking aside.
    prefix: u64,
    /// The thinking before it.
    after: Option<u64>,
}

/// All thinking that was answered.
#[derive(Debug, Default, Clone)]
pub(super) struct Bindings(HashMap<u64, HashSet<Bound, RandomState>, RandomState>);

/// Goes over a conversation.
struct Walk {
    chain: u64,
    bound: Bound,
}

impl Walk {
    fn over(head: &Head) -> Self {
        let sections = [&head.tools, &head.system];
        let chain = sections.iter().fold(0, |before, blocks| {
            let blocks = blocks.iter().map(|block| block.digest.loose);
            blocks.fold(chain(before, 0), chain)
        });
        let bound = Bound {
            prefix: chain,
            after: None,
        };
        Self { chain, bound }
    }

    /// Takes the next message; `thinking` is told each thinking in it, with its place and what stands before it.
    fn message(&mut self, message: &Message, mut thinking: impl FnMut(usize, u64, Bound)) {
        for (at, block) in message.blocks.iter().enumerate() {
            if let Some(name) = block.thinking {
                thinking(at, name, self.bound);
                self.bound.after = Some(name);
            } else {
                self.chain = chain(self.chain, chain(message.role, block.digest.loose));
                if message.speaker != Speaker::Model {
                    self.bound.prefix = self.chain;
                }
            }
        }
    }
}

impl Bindings {
    /// Binds thinking of a response, in order, to the request that was answered.
    pub(super) fn bind(&mut self, head: &Head, messages: &[&Message], thinking: &[&str]) {
        let mut walk = Walk::over(head);
        for message in messages {
            walk.message(message, |_, _, _| ());
        }
        for text in thinking {
            let name = xxh3_64(text.as_bytes());
            self.0.entry(name).or_default().insert(walk.bound);
            walk.bound.after = Some(name);
        }
    }

    /// Checks a conversation. Of thinking that was not bound nothing is known.
    pub(super) fn check(&self, head: &Head, messages: &[&Message]) -> Result<(), PrefixMismatch> {
        let mut walk = Walk::over(head);
        for (index, message) in messages.iter().enumerate() {
            let mut wrong = None;
            walk.message(message, |at, name, found| {
                // Thinking at the beginning may be left out, but none between others.
                let fits = |bound: &Bound| {
                    bound.prefix == found.prefix
                        && (found.after.is_none() || bound.after == found.after)
                };
                let bounds = self.0.get(&name);
                if bounds.is_some_and(|bounds| !bounds.iter().any(fits)) {
                    wrong = wrong.or(Some(at));
                }
            });
            if let Some(block) = wrong {
                let message = index;
                return Err(PrefixMismatch { message, block });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::Session;
    use super::super::{CacheRequest, Format};
    use super::*;
    use crate::dialect::prefix_mismatch::is_refusal;

    fn answer(signature: &str) -> Value {
        let thinking = json!({"type": "thinking", "thinking": "", "signature": signature});
        json!({"role": "assistant", "content": [thinking, {"type": "text", "text": "ok"}]})
    }

    fn check(session: &mut Session) -> Result<(), PrefixMismatch> {
        session.with(|cache, request| cache.check(request))
    }

    /// Three turns, each of which was thought about.
    fn session(model: &'static str) -> Session {
        let head = Head::assumed(1, 5000, 1, None);
        let mut session = Session::new(Format::Messages, model, head);
        for turn in ["one", "two", "three"] {
            session
                .messages
                .push(json!({"role": "user", "content": turn}));
            session.with(|cache, request| cache.bind(request, &[turn]));
            session.messages.push(answer(turn));
        }
        assert_eq!(check(&mut session), Ok(()));
        session
    }

    #[test]
    fn thinking_behind_a_changed_prefix_is_refused_as_the_api_does() {
        let mut session = session("claude-opus-5-5");
        session.messages[2]["content"] = json!("2");
        let mismatch = check(&mut session).unwrap_err();
        let (message, block) = (3, 0);
        assert_eq!(mismatch, PrefixMismatch { message, block });
        assert!(is_refusal(mismatch.body().as_bytes()));
        session.head.drops_thinking = true;
        assert_eq!(check(&mut session), Ok(()));
    }

    #[test]
    fn a_changed_system_prompt_unbinds_all_thinking() {
        let mut session = session("claude-fable-5-1");
        session.head = Head::assumed(2, 5000, 1, None);
        assert_eq!(check(&mut session).unwrap_err().message, 1);
    }

    #[test]
    fn other_models_bind_nothing() {
        let mut session = session("claude-opus-5");
        session.messages[0]["content"] = json!("1");
        assert_eq!(check(&mut session), Ok(()));
    }

    #[test]
    fn markers_shapes_and_the_order_of_keys_do_not_count() {
        let mut session = session("claude-opus-5-5");
        let mark = json!({"type": "ephemeral"});
        session.messages[0]["content"] =
            json!([{"type": "text", "text": "one", "cache_control": mark}]);
        assert_eq!(check(&mut session), Ok(()));
        let raw = |input: &str| {
            let call = format!(r#"{{"type":"tool_use","id":"t","name":"Bash","input":{input}}}"#);
            [
                r#"{"role":"user","content":"go"}"#.to_owned(),
                format!(r#"{{"role":"assistant","content":[{call}]}}"#),
                r#"{"content":"on","role":"user"}"#.to_owned(),
                answer("again").to_string(),
            ]
        };
        let mut check = |input: &str, is_answer: bool| {
            let raw = raw(input);
            let messages: Vec<&[u8]> = raw.iter().map(String::as_bytes).collect();
            let request = CacheRequest {
                format: Format::Messages,
                model: "claude-opus-5-5",
                head: &session.head,
                messages: &messages[..if is_answer { 4 } else { 3 }],
            };
            if !is_answer {
                session.cache.bind(&request, &["again"]);
            }
            session.cache.check(&request)
        };
        assert_eq!(check(r#"{"a":1,"b":[{"c":2,"d":3}]}"#, false), Ok(()));
        assert_eq!(check(r#"{ "b":[{"d":3,"c":2}], "a":1}"#, true), Ok(()));
        assert!(check(r#"{"a":1,"b":[{"c":2,"d":4}]}"#, true).is_err());
    }

    #[test]
    fn thinking_may_be_left_out_at_the_beginning_and_not_between() {
        let without = |turns: &[usize]| {
            let mut session = session("claude-opus-5-5");
            for turn in turns {
                let content = session.messages[2 * turn + 1]["content"].as_array_mut();
                content.unwrap().remove(0);
            }
            check(&mut session).map_err(|mismatch| mismatch.message)
        };
        assert_eq!(without(&[0]), Ok(()));
        assert_eq!(without(&[0, 1]), Ok(()));
        assert_eq!(without(&[2]), Ok(()));
        assert_eq!(without(&[1]), Err(5));
    }

    #[test]
    fn thinking_that_nobody_told_of_passes() {
        let mut session = session("claude-opus-5-5");
        session.messages[1] = answer("from elsewhere");
        session.messages.truncate(2);
        assert_eq!(check(&mut session), Ok(()));
    }

    #[test]
    fn one_response_may_think_twice() {
        let mut session = session("claude-opus-5-5");
        session
            .messages
            .push(json!({"role": "user", "content": "four"}));
        session.with(|cache, request| cache.bind(request, &["a", "b"]));
        let thinking =
            |signature: &str| json!({"type": "thinking", "thinking": "", "signature": signature});
        let text = json!({"type": "text", "text": "First"});
        session
            .messages
            .push(json!({"role": "assistant", "content": [thinking("a"), text, thinking("b")]}));
        assert_eq!(check(&mut session), Ok(()));
        session
            .messages
            .push(json!({"role": "user", "content": "five"}));
        assert_eq!(check(&mut session), Ok(()));
    }
}
