//! A session of a client through the proxy: each turn is checked, and each tool result counted where it is sent first.

use std::collections::HashMap;

use headroom_tests::audit;
use headroom_tests::conversation::{Block, Body, Conversation, Kind, unescape};
use headroom_tests::forms::{Allowed, Forms, check_expansion};
use headroom_tests::process::Launch;
use headroom_tests::provider::{Provider, Step};
use headroom_tests::recorder::{Recorded, Recorder};
use headroom_tests::stage::Stage;
use serde::Deserialize;

use crate::folder::Folder;
use crate::lost::Lost;
use crate::programs::{Client, Places, Words};
use crate::steps::Planned;

/// A tool result as it was first sent.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    /// Which tool call of the session it answers, counted from 0. A result may be several texts.
    pub(crate) step: usize,
    /// The row in which it is counted.
    pub(crate) kind: &'static str,
    /// The original as the model reads it.
    pub(crate) original: String,
    /// Name and input of the tool call.
    pub(crate) call: (String, String),
    /// Bytes in the client's body, escaped.
    pub(crate) bytes: usize,
    /// Bytes in the body that went on, escaped.
    pub(crate) sent: usize,
    /// Why it is not smaller; empty where it is.
    pub(crate) left: String,
}

/// A request.
#[derive(Debug)]
pub(crate) struct Turn {
    /// The proxy's decision; empty on a WebSocket.
    pub(crate) decision: String,
    /// Whether it only has the provider read what will be asked next.
    pub(crate) warms_up: bool,
    /// Bytes of the body that the client sent.
    pub(crate) bytes: usize,
    /// Bytes of the body that went on.
    pub(crate) sent: usize,
}

/// A session that ran to its end.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// Its tool results, in order.
    pub(crate) results: Vec<Sent>,
    /// Its requests, in order.
    pub(crate) turns: Vec<Turn>,
    /// What the client printed.
    pub(crate) said: String,
}

/// Takes the turns in one after the other.
#[derive(Debug, Default)]
struct Checks {
    session: Session,
    forms: Forms,
    allowed: Allowed,
    /// The text that was sent last for each tool result, by its call and which of the result's texts it is.
    last: HashMap<(String, usize), String>,
    /// Ids of calls in the order in which their results came.
    calls: Vec<String>,
}

impl Session {
    /// Runs a client with a proxy that knows nothing yet, while the model takes these steps.
    ///
    /// # Panics
    /// When a turn is not what it must be.
    pub(crate) async fn run(
        client: Client,
        folder: &Folder,
        words: Words<'_>,
        plan: &[Planned],
    ) -> Self {
        let mut stage = Stage::embedded(observed).await;
        let steps: Vec<Step> = plan.iter().map(|planned| planned.step.clone()).collect();
        stage.provider.take_steps(steps);
        let recorder = Recorder::before(&stage.addr()).await;
        let places = Places {
            home: folder.home(),
            work: folder.work(),
        };
        let said = client.run(places, recorder.addr(), words).await;
        let mut lost = Lost::read(&stage.proxy().log());
        let mut checks = Checks {
            // What a new proxy has sent in the original may land where the new provider has nothing in its cache.
            allowed: Allowed {
                landing: words.resumes,
                ..Allowed::default()
            },
            ..Checks::default()
        };
        for recorded in recorder.recorded() {
            let got = stage.provider.with_id(&recorded.id).await;
            if !recorded.target.contains(client.dialect().path()) {
                assert_eq!(recorded.body, got.body, "{}", recorded.target);
                continue;
            }
            if let Err(error) = checks.turn(client, &recorded, &got.body, plan) {
                panic!(
                    "{client:?}: {} ({}): {error}",
                    recorded.id, recorded.decision
                );
            }
        }
        checks.give_reasons(&mut lost);
        checks.session.said = said;
        checks.session
    }

    /// How many of its requests the model was to answer.
    pub(crate) fn asked(&self) -> usize {
        self.turns.iter().filter(|turn| !turn.warms_up).count()
    }

    /// What a client prints in a session without the proxy, while the model takes these steps.
    pub(crate) async fn direct(
        client: Client,
        folder: &Folder,
        words: Words<'_>,
        plan: &[Planned],
    ) -> String {
        let provider = Provider::start().await;
        provider.take_steps(plan.iter().map(|planned| planned.step.clone()).collect());
        let places = Places {
            home: folder.home(),
            work: folder.work(),
        };
        let url = provider.url();
        client
            .run(places, url.trim_start_matches("http://"), words)
            .await
    }
}

/// Whether a request wants no answer of the model.
fn warms_up(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Request {
        generate: Option<bool>,
    }
    let request = serde_json::from_slice(body);
    request.is_ok_and(|it: Request| it.generate == Some(false))
}

/// A proxy whose log says why blocks were left, with budgets that no loaded machine exceeds.
fn observed(launch: Launch) -> Launch {
    launch
        .set("HEADROOM_LOG", "info,headroom_proxy=debug")
        .set("HEADROOM_LOG_FORMAT", "json")
        .patient()
}

impl Checks {
    /// One request: outside the replaced texts nothing changed, each form expands, none has flipped.
    fn turn(
        &mut self,
        client: Client,
        recorded: &Recorded,
        got: &[u8],
        plan: &[Planned],
    ) -> Result<(), String> {
        if recorded.status != client.status() {
            return Err(format!("status {}", recorded.status));
        }
        let (conversation, body) = Conversation::read(client.dialect(), &recorded.body)?;
        let new = self
            .forms
            .observe(&conversation, &body, got, self.allowed)?;
        check_expansion(&conversation, &body, &new, self.allowed)?;
        let texts = audit::texts(&body, got)?;
        for (block, text) in body.blocks.iter().zip(texts) {
            if block.kind == Kind::Tool {
                self.result(&conversation, &body, block, text, plan)?;
            }
        }
        let turn = Turn {
            decision: recorded.decision.clone(),
            warms_up: warms_up(&recorded.body),
            bytes: body.bytes.len(),
            sent: got.len(),
        };
        self.session.turns.push(turn);
        Ok(())
    }

    fn result(
        &mut self,
        conversation: &Conversation,
        body: &Body,
        block: &Block,
        text: &str,
        plan: &[Planned],
    ) -> Result<(), String> {
        let call = block.answers.clone().ok_or("a result without a call")?;
        let original = audit::original(body, block);
        let known = self.calls.iter().position(|known| *known == call);
        let step = known.unwrap_or(self.calls.len());
        if known.is_none() {
            self.calls.push(call.clone());
        }
        let place = (call.clone(), block.nth);
        if let Some(last) = self.last.get(&place) {
            let lands = self.allowed.landing && last == original;
            if last != text && !lands {
                return Err(format!("{place:?} flipped\n  from {last}\n  to {text}"));
            }
            self.last.insert(place, text.to_owned());
            return Ok(());
        }
        let planned = plan.get(step).ok_or("a result of no planned call")?;
        let known_call = conversation.calls.get(&call).cloned();
        self.session.results.push(Sent {
            step,
            kind: planned.kind,
            original: unescape(original).map_err(|error| error.to_string())?,
            call: known_call.unwrap_or_else(|| planned.call()),
            bytes: original.len(),
            sent: text.len(),
            left: String::new(),
        });
        self.last.insert(place, text.to_owned());
        Ok(())
    }

    fn give_reasons(&mut self, lost: &mut Lost) {
        let whole = |result: &&mut Sent| result.sent == result.bytes;
        for result in self.session.results.iter_mut().filter(whole) {
            result.left = lost.reason([result.bytes, result.original.len()]);
        }
    }
}
