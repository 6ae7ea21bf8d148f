//! Whole sessions, sent request by request as the proxy sends them.

use std::collections::HashMap;

use anyhow::Context as _;
use bytes::Bytes;
use headroom_proxy::simulation::checked_session::CheckedSession;
use headroom_shared::compress::{Earlier, Source};
use headroom_shared::contract::tier::Tier;
use headroom_tests::conversation::recorded::{Session, Step};
use headroom_tests::conversation::{Block, Conversation, Kind, ToolCall};
use headroom_tests::forms::minimum;
use headroom_tests::retrieval::tools;
use serde_json::Value;

use crate::probes::{AS_SENT, LANDED, Probes};
use crate::tally::{Exactness, Speed, Tokens, cpu_time, prepared};

/// What came out for a session.
#[derive(Debug, Default)]
pub(crate) struct SessionResult {
    pub(crate) id: String,
    /// Tool results, each as it went out first.
    pub(crate) entry: Tokens,
    /// The tool results in the last request.
    pub(crate) end: Tokens,
    /// Of the blocks that may be replaced, with all before them as their history.
    pub(crate) exactness: Exactness,
    /// Of compressing them.
    pub(crate) compressing: Speed,
    /// Of compressing them and adding them to the history.
    pub(crate) with_history: Speed,
}

/// A tool result in a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct SentResult {
    /// The tool calls between the result before and this one.
    pub(crate) calls_before: Vec<ToolCall>,
    /// The id of the call that it answers.
    pub(crate) answers: Option<String>,
    pub(crate) message: usize,
    /// Whether it is long enough to be replaced.
    pub(crate) is_block: bool,
    pub(crate) original: String,
    /// What went out in its place, if anything did.
    pub(crate) form: Option<String>,
}

impl SentResult {
    /// What the model reads.
    pub(crate) fn sent(&self) -> &str {
        self.form.as_deref().unwrap_or(&self.original)
    }

    fn tokens(&self) -> Tokens {
        Tokens::of(&self.original, self.form.as_deref())
    }
}

/// Sends a session, and asks its probes on the way.
///
/// # Errors
/// When a form does not give its block back, or has changed.
pub(crate) fn measure(
    session: &Session,
    tier: Tier,
    probes: &mut Probes,
) -> anyhow::Result<SessionResult> {
    let mut conversation = session.begin();
    if tier == Tier::Recoverable {
        conversation.tools = tools(session.dialect);
    }
    let path = session.dialect.path();
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    let mut replay = CheckedSession::new(path, tier)?;
    let results_are_user_texts = !has_tool_results(session);
    let (mut first_sent, mut last_request) = (Vec::new(), Vec::new());
    let (mut sent_messages, mut turns) = (0, 0);
    for step in session.steps.iter().cloned() {
        match step {
            Step::Message(element) => conversation.push(element),
            Step::Reset(keep) => {
                conversation.messages.truncate(keep);
                sent_messages = sent_messages.min(keep);
            }
            Step::Turn(_) => {
                turns += 1;
                let request = send(&conversation, &mut replay, results_are_user_texts);
                last_request = request.with_context(|| format!("{}, turn {turns}", session.id))?;
                probes.ask(AS_SENT, (&session.id, turns), &last_request);
                if probes.are_due(&session.id, turns) {
                    let landed = resume((path, tier), &conversation, results_are_user_texts)?;
                    probes.ask(LANDED, (&session.id, turns), &landed);
                }
                let new = last_request
                    .iter()
                    .filter(|result| result.message >= sent_messages);
                first_sent.extend(new.cloned());
                sent_messages = conversation.messages.len();
            }
        }
    }
    if tier == Tier::Recoverable {
        last_request = resume((path, tier), &conversation, results_are_user_texts)?;
    }
    let mut result = compress_alone(&first_sent, tier, &conversation.calls);
    result.id.clone_from(&session.id);
    for sent in &first_sent {
        result.entry += sent.tokens();
    }
    for sent in &last_request {
        result.end += sent.tokens();
    }
    anyhow::ensure!(
        result.exactness.is_whole(),
        "{}: a form does not give its block back",
        session.id
    );
    Ok(result)
}

/// The tool results in a request that a session's history is sent with for the second time, after a pause: all before has landed.
fn resume(
    (path, tier): (&str, Tier),
    conversation: &Conversation,
    results_are_user_texts: bool,
) -> anyhow::Result<Vec<SentResult>> {
    let mut resumed = CheckedSession::resumed(path, tier)?;
    send(conversation, &mut resumed, results_are_user_texts)?;
    resumed.pause();
    send(conversation, &mut resumed, results_are_user_texts)
}

/// Sends a request, and gives the tool results in it.
fn send(
    conversation: &Conversation,
    replay: &mut CheckedSession,
    results_are_user_texts: bool,
) -> anyhow::Result<Vec<SentResult>> {
    let body = conversation.body();
    let (bytes, blocks) = (Bytes::from(body.bytes), body.blocks);
    let forms = replay.send(&bytes)?.into_iter();
    let mut forms: HashMap<usize, String> = forms.map(|it| (it.span.start, it.text)).collect();
    let messages = &conversation.messages;
    let task = messages
        .iter()
        .position(|it| it.value["role"] == "assistant")
        .unwrap_or(messages.len());
    let is_result = |block: &Block| match block.kind {
        Kind::Tool => true,
        Kind::User => results_are_user_texts && block.message > task,
    };
    let mut known_messages = 0;
    let results = blocks
        .into_iter()
        .filter(is_result)
        .map(|block| SentResult {
            calls_before: {
                let between = known_messages..block.message;
                known_messages = block.message;
                conversation.calls_in(between)
            },
            message: block.message,
            is_block: block.range.len() >= minimum(block.kind),
            original: messages[block.message].originals()[block.nth].clone(),
            form: forms.remove(&block.range.start),
            answers: block.answers,
        });
    Ok(results.collect())
}

/// Whether the session has tools: some agents send the output of a command as the user's text.
fn has_tool_results(session: &Session) -> bool {
    let mut conversation = session.begin();
    session.steps.iter().any(|step| {
        if let Step::Message(element) = step {
            conversation.push(element.clone());
            let written = conversation.messages.pop();
            return written.is_some_and(|message| {
                message
                    .plain()
                    .blocks
                    .iter()
                    .any(|block| block.kind == Kind::Tool)
            });
        }
        false
    })
}

/// Compresses tool results one after the other on one thread, and measures how long that takes.
fn compress_alone(
    results: &[SentResult],
    tier: Tier,
    calls: &HashMap<String, ToolCall>,
) -> SessionResult {
    let mut earlier = Earlier::default();
    let mut exactness = Exactness::default();
    let (mut compressing, mut pushing) = (Speed::default(), Speed::default());
    for result in results {
        let began = cpu_time();
        for (tool, input) in &result.calls_before {
            earlier.push_call(tool, input);
        }
        pushing += Speed {
            bytes: 0,
            time: cpu_time().saturating_sub(began),
        };
        if !result.is_block {
            continue;
        }
        let call = result.answers.as_ref().and_then(|id| calls.get(id));
        let block = Source {
            text: &result.original,
            tool: call.map(|(tool, _)| tool.as_str()),
            input: call.map(|(_, input)| input.as_str()),
        };
        let began = cpu_time();
        let prepared = prepared(block, tier);
        let form = prepared.compress(&earlier).ok();
        compressing += Speed {
            bytes: block.text.len(),
            time: cpu_time().saturating_sub(began),
        };
        exactness += Exactness::of((block, tier), form.as_deref(), &earlier);
        let began = cpu_time();
        earlier.push_prepared(prepared);
        pushing += Speed {
            bytes: 0,
            time: cpu_time().saturating_sub(began),
        };
    }
    let mut with_history = compressing;
    with_history += pushing;
    SessionResult {
        exactness,
        compressing,
        with_history,
        ..SessionResult::default()
    }
}

/// Rewrites the line numbers in tool results from `     1→` to `1`, tab.
pub(crate) fn write_numbers_with_tabs(session: &mut Session) {
    for step in &mut session.steps {
        if let Step::Message(element) = step {
            rewrite(element);
        }
    }
}

/// Rewrites all texts below the members in which tool results stand.
fn rewrite(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(rewrite),
        Value::Object(members) => {
            let texts = members
                .iter_mut()
                .filter(|(name, _)| ["content", "output", "text"].contains(&name.as_str()));
            texts.for_each(|(_, value)| rewrite(value));
        }
        Value::String(text) if text.contains('→') => {
            let lines: Vec<_> = text.split('\n').map(with_tab).collect();
            *text = lines.join("\n");
        }
        _ => {}
    }
}

fn with_tab(line: &str) -> String {
    let numbered = || {
        let (number, rest) = line.trim_start_matches(' ').split_once('→')?;
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| format!("{number}\t{rest}"))
    };
    numbered().unwrap_or_else(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use headroom_tests::conversation::{Dialect, listing, recorded};
    use serde_json::json;

    use super::*;

    #[test]
    fn each_result_is_counted_as_it_went_out_first() {
        for session in recorded::made_up() {
            let result = measure(&session, Tier::Lossless, &mut Probes::new(Vec::new())).unwrap();
            assert!(result.entry.after < result.entry.before, "{result:?}");
            assert!(result.end.before <= result.entry.before, "{result:?}");
        }
    }

    #[test]
    fn numbers_are_rewritten_in_tool_results() {
        let mut conversation = Conversation::new(Dialect::Messages, "s").tool(
            "Read",
            &json!({"file_path": "     1→"}),
            "     1→a\n    12→\n  x→b",
        );
        let mut message = conversation.messages.remove(1).value;
        rewrite(&mut message);
        assert_eq!(message["content"][0]["content"], "1\ta\n12\t\n  x→b");
        assert_eq!(with_tab(&listing(1, 1)[..10]).chars().nth(1), Some('\t'));
    }
}
