//! The bodies of a session's requests, made of its messages as they were sent.

use std::ops::Range;

use bytes::Bytes;
use headroom_shared::contract::tier::Tier;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::simulation::prompt_cache::Life;

/// The member that a client adds to a block to have all up to it cached for so long.
const fn marker(life: Life) -> &'static str {
    match life {
        Life::Short => r#","cache_control":{"type":"ephemeral"}"#,
        Life::Hour => r#","cache_control":{"type":"ephemeral","ttl":"1h"}"#,
    }
}

/// A conversation as it stands.
#[derive(Debug)]
pub(super) struct Conversation {
    /// The member of a body that holds the messages.
    member: &'static str,
    /// For how long the client has its last message cached; `None` where the provider caches by itself.
    life: Option<Life>,
    /// The member of a body that holds the tools, with a comma behind it; empty where there are none.
    tools: &'static str,
    /// The messages, separated by commas.
    text: String,
    /// Where each message stands in the text.
    messages: Vec<Range<usize>>,
}

/// A request's body.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) bytes: Bytes,
    /// Where its messages stand, in order.
    pub(super) messages: Vec<Range<usize>>,
}

impl Conversation {
    /// One without messages, of requests that are posted to this path.
    pub(super) fn new(path: &str, life: Option<Life>) -> Self {
        let is_responses = path == "/v1/responses";
        Self {
            member: if is_responses { "input" } else { "messages" },
            life,
            tools: "",
            text: String::new(),
            messages: Vec::new(),
        }
    }

    /// The same, whose requests offer the model the retrieval tool where forms may leave something out.
    pub(super) fn in_tier(self, path: &str, tier: Tier) -> Self {
        let tools = match (tier, path) {
            (Tier::Lossless, _) => "",
            (Tier::Recoverable, "/v1/chat/completions") => {
                r#""tools":[{"type":"function","function":{"name":"headroom_retrieve"}}],"#
            }
            (Tier::Recoverable, _) => r#""tools":[{"name":"headroom_retrieve"}],"#,
        };
        Self { tools, ..self }
    }

    /// Appends a message: its JSON.
    pub(super) fn push(&mut self, message: &str) {
        if !self.messages.is_empty() {
            self.text.push(',');
        }
        let start = self.text.len();
        self.text.push_str(message);
        self.messages.push(start..self.text.len());
    }

    /// Keeps the first messages.
    pub(super) fn truncate(&mut self, messages: usize) {
        self.messages.truncate(messages);
        let end = self.messages.last().map_or(0, |last| last.end);
        self.text.truncate(end);
    }

    /// How many messages there are.
    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    /// The body of a request to this model with all messages, the last one marked.
    pub(super) fn body(&self, model: &str, thinks: bool) -> Body {
        let mut head = format!("{{\"model\":{}", Value::from(model));
        if thinks && self.member == "messages" {
            head.push_str(
                r#","max_tokens":32000,"thinking":{"type":"enabled","budget_tokens":16000}"#,
            );
        }
        head.push_str(&format!(",{}\"{}\":[", self.tools, self.member));
        let base = head.len();
        let mut text = String::with_capacity(base + self.text.len() + 100);
        text.push_str(&head);
        let mut messages: Vec<_> = self
            .messages
            .iter()
            .map(|message| base + message.start..base + message.end)
            .collect();
        text.push_str(&self.text);
        if let Some(last) = messages.last_mut()
            && let Some(marked) = self.life.and_then(|life| marked(&text[last.clone()], life))
        {
            text.truncate(last.start);
            text.push_str(&marked);
            last.end = text.len();
        }
        text.push_str("]}");
        Body {
            bytes: text.into(),
            messages,
        }
    }
}

/// A message as Anthropic takes it.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: &'a RawValue,
    #[serde(borrow)]
    content: &'a RawValue,
}

/// The message with its last block marked; `None` where it stays as it is.
fn marked(message: &str, life: Life) -> Option<String> {
    let member = marker(life);
    let Message { role, content } = serde_json::from_str(message).ok()?;
    let (role, content) = (role.get(), content.get());
    let blocks = if content.starts_with('"') {
        format!("[{{\"type\":\"text\",\"text\":{content}{member}}}]")
    } else {
        let before = content.strip_suffix(']')?.trim_end().strip_suffix('}')?;
        if before.trim_end().ends_with('{') {
            return None;
        }
        format!("{before}{member}}}]")
    };
    Some(format!("{{\"role\":{role},\"content\":{blocks}}}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_made_of_its_messages_and_the_last_is_marked() {
        let mut conversation = Conversation::new("/v1/messages", Some(Life::Hour));
        conversation.push(r#"{"role":"user","content":"a\u00e9"}"#);
        let body = conversation.body("m", false);
        assert_eq!(
            &body.bytes[..],
            br#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a\u00e9","cache_control":{"type":"ephemeral","ttl":"1h"}}]}]}"#
        );
        conversation.push(r#"{"role":"assistant","content":[{"type":"text","text":"b"}]}"#);
        conversation.push(r#"{"role":"user","content":[{"type":"text","text":"c"} ]}"#);
        let body = conversation.body("m", true);
        let text = std::str::from_utf8(&body.bytes).unwrap();
        assert!(text.parse::<Value>().is_ok(), "{text}");
        assert_eq!(text.matches("cache_control").count(), 1);
        let messages: Vec<_> = body.messages.iter().map(|it| &text[it.clone()]).collect();
        assert_eq!(messages[0], r#"{"role":"user","content":"a\u00e9"}"#);
        assert!(messages[2].contains(r#""c","cache_control""#), "{text}");
        conversation.truncate(1);
        assert_eq!(conversation.body("m", false).messages.len(), 1);
    }

    #[test]
    fn responses_are_not_marked() {
        let mut conversation = Conversation::new("/v1/responses", None);
        conversation.push(r#"{"type":"message"}"#);
        let body = conversation.body("m", true);
        assert_eq!(
            &body.bytes[..],
            br#"{"model":"m","input":[{"type":"message"}]}"#
        );
    }
}
