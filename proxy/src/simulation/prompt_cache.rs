//! A model of the providers' prompt caches: what of a request is read from the cache, what is written to it, and what that costs.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use headroom_shared::contract::usage::Usage;
use serde_json::Value;

/// Bytes a token, about; the model needs no better.
const BYTES_PER_TOKEN: u64 = 3;
/// The shortest prefix that is cached, in tokens.
const MINIMUM: u64 = 1024;
/// How many blocks before a breakpoint Anthropic looks for an entry.
const LOOK_BACK: usize = 20;
/// How long an entry lives, in milliseconds: by a marker without `ttl`, and by one for an hour.
const SHORT_LIFE: u64 = 5 * 60 * 1000;
const LONG_LIFE: u64 = 60 * 60 * 1000;
/// OpenAI's caches grow in steps of this many tokens.
const STEP: u64 = 128;
const STEP_BYTES: usize = (STEP * BYTES_PER_TOKEN) as usize;

#[derive(Debug, Clone)]
struct Entry {
    until: u64,
    life: u64,
}

/// The cache of one account.
#[derive(Debug, Default, Clone)]
pub struct PromptCache {
    /// What time it is, in milliseconds since any moment: only the caller moves this clock.
    pub now_ms: u64,
    off: bool,
    anthropic: HashMap<u64, Entry>,
    openai: HashMap<u64, u64>,
}

impl PromptCache {
    /// Caches nothing any more.
    pub fn turn_off(&mut self) {
        self.off = true;
    }

    /// Serves a request to this path, with or without a query: what it reads, writes and pays. Nothing where it is to another path
    /// than a dialect's, or no JSON.
    pub fn serve(&mut self, path: &str, body: &[u8]) -> Usage {
        let text = std::str::from_utf8(body).unwrap_or_default();
        let Ok(body) = text.parse::<Value>() else {
            return Usage::default();
        };
        match path.split('?').next().unwrap_or_default() {
            "/v1/messages" => self.serve_anthropic(&body),
            "/v1/chat/completions" | "/v1/responses" => self.serve_openai(&body),
            _ => Usage::default(),
        }
    }

    fn serve_anthropic(&mut self, body: &Value) -> Usage {
        let blocks = blocks(body);
        let mut marks: Vec<usize> = (0..blocks.len())
            .filter(|&at| blocks[at].life > 0)
            .collect();
        if let (Some(last), Some(_)) = (blocks.len().checked_sub(1), body.get("cache_control")) {
            marks.push(last);
        }
        let total = blocks.last().map_or(0, |block| block.tokens);
        if self.off || marks.is_empty() {
            return uncached(total);
        }
        let now = self.now_ms;
        let hit = marks.iter().rev().find_map(|&mark| {
            let from = mark.saturating_sub(LOOK_BACK - 1);
            (from..=mark).rev().find(|&at| {
                let entry = self.anthropic.get(&blocks[at].chain);
                entry.is_some_and(|entry| entry.until > now)
            })
        });
        if let Some(entry) = hit.and_then(|at| self.anthropic.get_mut(&blocks[at].chain)) {
            entry.until = now + entry.life;
        }
        let read = hit.map_or(0, |at| blocks[at].tokens);
        let mut written = 0;
        let mut written_hour = 0;
        for &mark in marks.iter().filter(|&&mark| blocks[mark].tokens >= MINIMUM) {
            let life = blocks[mark].life.max(SHORT_LIFE);
            let new = blocks[mark].tokens.saturating_sub(read + written);
            written += new;
            written_hour += if life == LONG_LIFE { new } else { 0 };
            let entry = Entry {
                until: now + life,
                life,
            };
            self.anthropic
                .entry(blocks[mark].chain)
                .or_insert(entry)
                .until = now + life;
        }
        Usage {
            read,
            written,
            written_hour,
            input: total,
            output: 0,
        }
    }

    fn serve_openai(&mut self, body: &Value) -> Usage {
        let text = [
            &body["tools"],
            &body["instructions"],
            &body["messages"],
            &body["input"],
        ]
        .map(ToString::to_string)
        .concat();
        let total = text.len() as u64 / BYTES_PER_TOKEN;
        if self.off {
            return uncached(total);
        }
        let mut hasher = DefaultHasher::new();
        let (mut read, mut length, mut hit) = (0, 0, true);
        for piece in text.as_bytes().chunks_exact(STEP_BYTES) {
            hasher.write(piece);
            length += STEP;
            let until = self
                .openai
                .insert(hasher.finish(), self.now_ms + SHORT_LIFE);
            hit &= until.is_some_and(|until| until > self.now_ms);
            if hit && length >= MINIMUM {
                read = length;
            }
        }
        Usage {
            read,
            ..uncached(total)
        }
    }
}

/// The usage of a request that the cache does nothing for.
fn uncached(input: u64) -> Usage {
    Usage {
        input,
        ..Usage::default()
    }
}

/// One block of a request, in the order of the provider's prefix.
struct Block {
    /// Names everything up to and including this block.
    chain: u64,
    /// Tokens up to and including this block.
    tokens: u64,
    /// For how long its mark keeps it, in milliseconds; 0 without a mark.
    life: u64,
}

fn blocks(body: &Value) -> Vec<Block> {
    let mut blocks = Blocks {
        hasher: DefaultHasher::new(),
        bytes: 0,
        all: Vec::new(),
    };
    body["model"].as_str().hash(&mut blocks.hasher);
    for tool in body["tools"].as_array().into_iter().flatten() {
        blocks.push("tool", tool.clone());
    }
    blocks.content("system", &body["system"]);
    for message in body["messages"].as_array().into_iter().flatten() {
        blocks.content(
            message["role"].as_str().unwrap_or_default(),
            &message["content"],
        );
    }
    blocks.all
}

struct Blocks {
    hasher: DefaultHasher,
    bytes: u64,
    all: Vec<Block>,
}

impl Blocks {
    fn content(&mut self, role: &str, content: &Value) {
        match content {
            Value::String(text) => self.push(role, text_block(text)),
            Value::Array(parts) => {
                for part in parts {
                    self.push(role, part.clone());
                }
            }
            _ => {}
        }
    }

    fn push(&mut self, role: &str, mut block: Value) {
        let mark = block
            .as_object_mut()
            .and_then(|block| block.remove("cache_control"));
        let life = match mark {
            None => 0,
            Some(mark) if mark["ttl"] == "1h" => LONG_LIFE,
            Some(_) => SHORT_LIFE,
        };
        // The provider takes a string and an array of one text for the same.
        if let Some(Value::String(text)) = block.get("content") {
            block["content"] = Value::Array(vec![text_block(text)]);
        }
        let text = block.to_string();
        (role, &text).hash(&mut self.hasher);
        self.bytes += text.len() as u64;
        let chain = self.hasher.finish();
        self.all.push(Block {
            chain,
            tokens: self.bytes / BYTES_PER_TOKEN,
            life,
        });
    }
}

fn text_block(text: &str) -> Value {
    serde_json::json!({"type": "text", "text": text})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claude(first: &str, marked: bool, more: &[&str]) -> String {
        let mark = if marked {
            r#","cache_control":{"type":"ephemeral"}"#
        } else {
            ""
        };
        let mut messages = vec![format!(r#"{{"role":"user","content":"{first}"}}"#)];
        messages.extend(
            more.iter()
                .map(|text| format!(r#"{{"role":"user","content":"{text}"}}"#)),
        );
        messages.push(format!(
            r#"{{"role":"user","content":[{{"type":"text","text":"go"{mark}}}]}}"#
        ));
        format!(r#"{{"model":"m","messages":[{}]}}"#, messages.join(","))
    }

    #[test]
    fn a_changed_byte_busts_the_cache_and_a_moved_marker_does_not() {
        let long = "x".repeat(9000);
        let mut cache = PromptCache::default();
        let serve = |cache: &mut PromptCache, body: String| {
            cache.serve("/v1/messages?beta=true", body.as_bytes())
        };
        assert_eq!(serve(&mut cache, claude(&long, true, &[])).read, 0);
        assert!(serve(&mut cache, claude(&long, true, &[])).read > 2900);
        assert!(serve(&mut cache, claude(&long, true, &["go", "on"])).read > 2900);
        assert_eq!(
            serve(
                &mut cache,
                claude(&long.replace("xx", "y"), true, &["go", "on"])
            )
            .read,
            0
        );
        assert_eq!(serve(&mut cache, claude(&long, false, &["go"])).read, 0);
        cache.now_ms += SHORT_LIFE;
        assert_eq!(
            serve(&mut cache, claude(&long, true, &["go", "on"])).read,
            0
        );
    }

    #[test]
    fn openai_reads_the_longest_known_prefix() {
        let body = |text: &str| format!(r#"{{"messages":[{{"role":"user","content":"{text}"}}]}}"#);
        let long = "x".repeat(9000);
        let mut cache = PromptCache::default();
        assert_eq!(
            cache
                .serve("/v1/chat/completions", body(&long).as_bytes())
                .read,
            0
        );
        let longer = body(&format!("{long}yyy"));
        assert!(cache.serve("/v1/chat/completions", longer.as_bytes()).read > 2800);
        assert_eq!(
            cache
                .serve(
                    "/v1/chat/completions",
                    body(&long.replace("xx", "y")).as_bytes()
                )
                .read,
            0
        );
    }
}
