//! A model of the providers' prompt caches: what of a request is read from the cache, and what is written to it, in tokens; and whether its
//! thinking still belongs to what stands before it.
//!
//! It follows what `docs/providers.md` says of them. Tokens are estimates, and each message is read once.
//!
//! | file | what |
//! |---|---|
//! | `request` | a request as a cache sees it |
//! | `message` | a message in blocks, each with its hashes, its tokens and its markers |
//! | `message_reader` | reads it |
//! | `digest` | the same of any JSON value |
//! | `weight` | tokens |
//! | `memo` | the messages that were read |
//! | `entries` | what the cache holds, and for how long |
//! | `limits` | the shortest prefixes and lives by model |
//! | `anthropic`, `openai` | how each provider looks for a prefix and keeps it |
//! | `thinking` | Anthropic's check on thinking |

mod anthropic;
mod digest;
mod entries;
mod limits;
mod memo;
mod message;
mod message_reader;
mod openai;
mod request;
#[cfg(test)]
mod testing;
mod thinking;
mod weight;

use std::sync::{Arc, Mutex, PoisonError};

use headroom_shared::contract::model::Model;
use headroom_shared::contract::usage::Usage;

use self::entries::{Entries, Moment};
pub use self::limits::Life;
use self::memo::Memo;
use self::message::Message;
pub use self::request::{CacheBody, CacheRequest, Format, Head};
use self::thinking::Bindings;
pub use self::thinking::PrefixMismatch;

/// The cache of one account. A clone has entries of its own, but what is known of messages in common with the original.
#[derive(Debug, Default, Clone)]
pub struct PromptCache {
    /// What time it is, in milliseconds since any moment: only the caller moves this clock. A request begins then.
    pub now_ms: u64,
    /// How long after a request its response begins, in milliseconds: nothing that it writes can be read before.
    pub response_delay_ms: u64,
    off: bool,
    entries: Entries,
    bindings: Bindings,
    memo: Arc<Mutex<Memo>>,
}

impl PromptCache {
    /// Caches nothing any more.
    pub fn turn_off(&mut self) {
        self.off = true;
    }

    /// Serves a request to this path, with or without a query: what it reads and writes, and what its input is. Nothing where such requests
    /// are not billed, or the body is no JSON object.
    pub fn serve(&mut self, path: &str, body: &[u8]) -> Usage {
        let body = CacheBody::split(path, body);
        body.map_or_else(Usage::default, |body| self.serve_request(&body.request()))
    }

    /// Serves a request.
    pub fn serve_request(&mut self, request: &CacheRequest<'_>) -> Usage {
        let at = Moment {
            now: self.now_ms,
            answered: self.now_ms + self.response_delay_ms,
        };
        let serve = match request.format {
            Format::Messages => anthropic::serve,
            Format::Chat | Format::Responses => openai::serve,
        };
        let mut nothing = Entries::default();
        let entries = if self.off {
            &mut nothing
        } else {
            &mut self.entries
        };
        let usage = with_messages(&self.memo, request, |messages| {
            serve((entries, at), request.model, request.head, messages)
        });
        if self.off {
            let input = usage.input;
            return Usage {
                input,
                ..Usage::default()
            };
        }
        usage
    }

    /// Checks that the thinking in a request stands behind what it was answered to, as far as [`PromptCache::bind`] was told of it. A request
    /// that asks to have such thinking dropped passes, as do those to models that do not bind it.
    ///
    /// # Errors
    /// When thinking stands behind something else: the API refuses such a request, which must not be served then.
    pub fn check(&self, request: &CacheRequest<'_>) -> Result<(), PrefixMismatch> {
        if !binds(request) || request.head.drops_thinking {
            return Ok(());
        }
        with_messages(&self.memo, request, |messages| {
            self.bindings.check(request.head, messages)
        })
    }

    /// Notes that these thinking blocks, in order, were answered to a request: each by its `signature`, its `data` where it is redacted, or
    /// its text where it has neither.
    pub fn bind(&mut self, request: &CacheRequest<'_>, thinking: &[&str]) {
        if binds(request) {
            with_messages(&self.memo, request, |messages| {
                self.bindings.bind(request.head, messages, thinking);
            });
        }
    }
}

fn with_messages<T>(
    memo: &Mutex<Memo>,
    request: &CacheRequest<'_>,
    read: impl FnOnce(&[&Message]) -> T,
) -> T {
    let mut memo = memo.lock().unwrap_or_else(PoisonError::into_inner);
    read(&memo.read(request.messages))
}

/// Whether the model binds thinking, and the API checks it.
fn binds(request: &CacheRequest<'_>) -> bool {
    request.format == Format::Messages && Model::named(request.model).binds_thinking
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::testing::words;
    use super::*;

    #[test]
    fn a_body_is_served_as_its_pieces_are() {
        let messages = [
            json!({"role": "user", "content": words("one", 1500)}).to_string(),
            json!({"role": "assistant", "content": "ok"}).to_string(),
        ];
        let body = format!(
            r#"{{"model":"gpt-4o","messages":[{} , {}],"stream":true}}"#,
            messages[0], messages[1]
        );
        let usage = PromptCache::default().serve("/v1/chat/completions", body.as_bytes());
        let raw = [messages[0].as_bytes(), messages[1].as_bytes()];
        let request = CacheRequest {
            format: Format::Chat,
            model: "gpt-4o",
            head: &Head::default(),
            messages: &raw,
        };
        let mut cache = PromptCache::default();
        assert_eq!(cache.serve_request(&request), usage);
        assert!(
            cache
                .serve("/openai/v1/chat/completions", body.as_bytes())
                .read
                > 1024
        );
    }

    #[test]
    fn an_input_that_is_one_string_is_a_message_of_the_user() {
        let mut cache = PromptCache::default();
        let text = words("one", 1500);
        let first = json!({"model": "gpt-5.6", "input": text});
        let path = "/v1/responses";
        let first = cache.serve(path, first.to_string().as_bytes());
        let input = json!([{"role": "user", "content": text}, {"role": "user", "content": "on"}]);
        let second = json!({"model": "gpt-5.6", "input": input});
        let second = cache.serve(path, second.to_string().as_bytes());
        assert_eq!((second.read, first.written), (first.input, first.input));
    }

    #[test]
    fn what_is_not_billed_or_no_request_takes_nothing() {
        let mut cache = PromptCache::default();
        let body = json!({"messages": [{"role": "user", "content": words("one", 1500)}]});
        let body = body.to_string();
        for path in ["/v1/messages/count_tokens", "/v1/models", "/"] {
            assert_eq!(cache.serve(path, body.as_bytes()), Usage::default());
        }
        for body in [
            "",
            "[]",
            r#"{"messages":"#,
            r#"{"messages":7}"#,
            r#"{"messages":[[],8]}"#,
        ] {
            assert!(cache.serve("/v1/messages", body.as_bytes()).is_uncached());
        }
        let halves = br#"{"messages":[{"role":"user","content":"\ud83d"}]}"#;
        assert!(cache.serve("/v1/messages", halves).input > 0);
    }

    #[test]
    fn a_cache_that_is_off_reads_and_writes_nothing() {
        let mut cache = PromptCache::default();
        let head = Head::assumed(1, 5000, 1, Some(Life::Short));
        let request = CacheRequest {
            format: Format::Messages,
            model: "claude-opus-5",
            head: &head,
            messages: &[],
        };
        let on = cache.clone().serve_request(&request);
        assert_eq!(on.written, 5000);
        cache.turn_off();
        cache.serve_request(&request);
        let off = cache.serve_request(&request);
        assert_eq!((off.is_uncached(), off.input), (true, 5000));
    }
}
