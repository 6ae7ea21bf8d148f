//! Requests that ask how many tokens a conversation is: they go out in the forms that were sent, and leave nothing behind.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::http::Call;
use headroom_tests::process::Launch;
use headroom_tests::stage::Stage;
use serde_json::Value;

fn patient(launch: Launch) -> Launch {
    launch.patient()
}

/// The paths that count, each with its dialect and the member that holds the conversation.
const PATHS: [(Dialect, &str, &str); 3] = [
    (
        Dialect::Messages,
        "/v1/messages/count_tokens?beta=true",
        "messages",
    ),
    (
        Dialect::Messages,
        "/anthropic/v1/messages/count_tokens",
        "messages",
    ),
    (Dialect::Responses, "/v1/responses/input_tokens", "input"),
];

/// A session, and what its provider got in each request.
struct Session {
    stage: Stage,
    conversation: Conversation,
    count_path: &'static str,
    member: &'static str,
}

impl Session {
    async fn start((dialect, count_path, member): (Dialect, &'static str, &'static str)) -> Self {
        Self {
            stage: Stage::embedded(patient).await,
            conversation: Conversation::new(dialect, "counted").user("Read it."),
            count_path,
            member,
        }
    }

    /// The decision on a request, and the messages that the provider got.
    async fn exchange(&self, call: &Call) -> (String, Vec<Value>) {
        let (decision, got) = self.stage.exchange(call).await;
        let mut got: Value = serde_json::from_slice(&got).unwrap();
        let messages = serde_json::from_value(got[self.member].take()).unwrap();
        (decision, messages)
    }

    async fn turn(&self) -> (String, Vec<Value>) {
        self.exchange(&self.conversation.call()).await
    }

    async fn count(&self, header: Option<(&str, &str)>) -> (String, Vec<Value>) {
        let mut call = Call::post(self.count_path, self.conversation.body().bytes);
        if let Some((name, value)) = header {
            call = call.header(name, value);
        }
        self.exchange(&call).await
    }

    fn reads(&mut self, seed: usize) {
        let empty = Conversation::new(self.conversation.dialect, "");
        let conversation = std::mem::replace(&mut self.conversation, empty);
        self.conversation = conversation.reads(seed, 20_000);
    }
}

/// The forms in a message.
fn forms(message: &Value) -> Vec<String> {
    match message {
        Value::String(text) if text.starts_with("[headroom: ") => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(forms).collect(),
        Value::Object(members) => members.values().flat_map(forms).collect(),
        _ => Vec::new(),
    }
}

#[tokio::test]
async fn a_count_is_of_what_was_sent() {
    for path in PATHS {
        let mut session = Session::start(path).await;
        session.reads(1);
        let (decision, sent) = session.turn().await;
        assert_eq!(decision, "compressed", "{path:?}");
        let (decision, counted) = session.count(None).await;
        assert_eq!(decision, "compressed", "{path:?}");
        assert_eq!(counted, sent, "{path:?}");
    }
}

#[tokio::test]
async fn a_count_chooses_no_form() {
    for path in PATHS {
        let mut session = Session::start(path).await;
        session.reads(1);
        let (_, sent) = session.turn().await;
        session.reads(2);
        let (decision, counted) = session.count(None).await;
        assert_eq!(decision, "compressed", "{path:?}");
        // A client writes the same content in another shape when it is no longer the last.
        let forms = |messages: &[Value]| messages.iter().flat_map(forms).collect::<Vec<_>>();
        assert_eq!(forms(&sent).len(), 1, "{path:?}");
        assert_eq!(forms(&counted), forms(&sent), "{path:?}");
        let written: Value = serde_json::from_slice(&session.conversation.body().bytes).unwrap();
        assert_eq!(
            counted.last(),
            written[session.member].as_array().unwrap().last()
        );
    }
}

#[tokio::test]
async fn a_count_leaves_nothing_behind() {
    for path in PATHS {
        for header in [None, Some(("x-headroom-bypass", "1"))] {
            let mut session = Session::start(path).await;
            session.reads(1);
            let (decision, _) = session.count(header).await;
            assert!(
                ["forwarded", "bypassed"].contains(&&*decision),
                "{decision}"
            );
            let stats = session.stage.stats().await;
            assert_eq!(stats["requests"]["total"], 0, "{stats}");
            // Its blocks are as new as before.
            let (decision, _) = session.turn().await;
            assert_eq!(decision, "compressed", "{path:?} {header:?}");
        }
    }
}
