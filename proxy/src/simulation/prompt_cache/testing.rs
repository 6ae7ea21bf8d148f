//! Requests for the tests of this folder.

use headroom_shared::contract::usage::Usage;
use serde_json::Value;

use super::{CacheRequest, Format, Head, PromptCache};

pub(super) const MINUTE_MS: u64 = 60_000;

/// A conversation, and what serves it.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) cache: PromptCache,
    pub(super) format: Format,
    pub(super) model: &'static str,
    pub(super) head: Head,
    pub(super) messages: Vec<Value>,
}

impl Session {
    pub(super) fn new(format: Format, model: &'static str, head: Head) -> Self {
        Self {
            cache: PromptCache::default(),
            format,
            model,
            head,
            messages: Vec::new(),
        }
    }

    /// Has the request read in pieces.
    pub(super) fn with<T>(
        &mut self,
        read: impl FnOnce(&mut PromptCache, &CacheRequest<'_>) -> T,
    ) -> T {
        let raw: Vec<String> = self.messages.iter().map(Value::to_string).collect();
        let raw: Vec<&[u8]> = raw.iter().map(String::as_bytes).collect();
        let request = CacheRequest {
            format: self.format,
            model: self.model,
            head: &self.head,
            messages: &raw,
        };
        read(&mut self.cache, &request)
    }

    /// Serves it.
    pub(super) fn serve(&mut self) -> Usage {
        self.with(|cache, request| cache.serve_request(request))
    }

    /// Serves it after so many minutes.
    pub(super) fn serve_after(&mut self, minutes: u64) -> Usage {
        self.cache.now_ms += minutes * MINUTE_MS;
        self.serve()
    }
}

/// About so many tokens that no other text has.
pub(super) fn words(name: &str, count: usize) -> String {
    (0..count).map(|at| format!("{name} {at}\n")).collect()
}
