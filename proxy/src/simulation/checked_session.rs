//! [`CheckedSession`]: a session without a server, for programs that measure what goes out.

use std::ops::Range;

use anyhow::Context;
use bytes::Bytes;
use headroom_shared::contract::prefix::unescaped;
use headroom_shared::contract::tier::Tier;

use super::Simulation;
use super::check::Checker;
use super::prompt_cache::PromptCache;
use crate::dialect::Endpoint;
use crate::plan::Planner;

/// From one request to the next: the model answers, and the agent runs a tool.
const TURN_MS: u64 = 20_000;

/// Longer than any provider caches.
const PAUSE_MS: u64 = 2 * 24 * 3_600_000;

/// A session that is sent request by request, as the proxy does with its default settings before a provider that caches. Workers are done
/// with a job before the next request.
#[derive(Debug)]
pub struct CheckedSession {
    simulation: Simulation,
    checker: Checker,
}

/// A text that went out in place of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentForm {
    /// Where the block's text stands in the client's body: between the quotes, escaped.
    pub span: Range<usize>,
    /// What the model reads there.
    pub text: String,
}

impl CheckedSession {
    /// A session whose requests are posted to this path, and whose forms may leave out what `tier` says.
    ///
    /// # Errors
    /// When no request format belongs to the path.
    pub fn new(path: &str, tier: Tier) -> anyhow::Result<Self> {
        Self::with_min_tokens(path, tier, Planner::DEFAULT_MIN_TOKENS)
    }

    /// The same for a session that was begun elsewhere: its first request is left to a worker however small it is.
    ///
    /// # Errors
    /// When no request format belongs to the path.
    pub fn resumed(path: &str, tier: Tier) -> anyhow::Result<Self> {
        Self::with_min_tokens(path, tier, 0)
    }

    fn with_min_tokens(path: &str, tier: Tier, min_tokens: u64) -> anyhow::Result<Self> {
        let endpoint = Endpoint::of(path).with_context(|| format!("{path} is no endpoint"))?;
        let planner = Planner {
            tier,
            ..Planner::new(min_tokens)
        };
        Ok(Self {
            simulation: Simulation::new(endpoint.dialect, planner, PromptCache::default()),
            checker: Checker::default(),
        })
    }

    /// Lets so much time pass that the provider has nothing of the session in its cache any more.
    pub fn pause(&mut self) {
        self.simulation.now_ms += PAUSE_MS;
    }

    /// Sends the next request, and gives the forms in it, in order.
    ///
    /// # Errors
    /// When a form does not give its block back, has changed, or when anything else of the body is not the client's.
    pub fn send(&mut self, body: &Bytes) -> anyhow::Result<Vec<SentForm>> {
        self.simulation.now_ms += TURN_MS;
        let turn = self.simulation.turn(body);
        self.checker.check(body, &turn)?;
        self.simulation.run_jobs();
        let forms = turn.forms.iter().map(|(index, escaped)| {
            Ok(SentForm {
                span: turn.scan.blocks[*index].span.clone(),
                text: unescaped(escaped).context("a form is no JSON string")?,
            })
        });
        forms.collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_goes_out_for_a_block_is_given_with_its_place() {
        let rows: Vec<_> = (0..60)
            .map(|n| json!({"identifier": n, "state": "open"}))
            .collect();
        let messages = [
            json!({"role": "user", "content": "Find out why."}),
            json!({"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "Bash", "input": {}}]}),
            json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": json!(rows).to_string()}]}),
        ];
        let body = |count: usize| {
            let messages = &messages[..count];
            Bytes::from(json!({"model": "claude-opus-4-6", "messages": messages}).to_string())
        };
        let mut session = CheckedSession::new("/v1/messages", Tier::Lossless).unwrap();
        assert_eq!(session.send(&body(1)).unwrap(), []);
        let forms = session.send(&body(3)).unwrap();
        assert_eq!(forms.len(), 1);
        assert!(forms[0].text.starts_with("[headroom: "));
        assert!(body(3)[forms[0].span.clone()].starts_with(br#"[{\"identifier\":0,"#));
        assert!(CheckedSession::new("/v1/models", Tier::Lossless).is_err());
    }
}
