//! What holds for any session, any gaps between its requests, any prices and any delay of the workers: it costs no more through the proxy than
//! directly, no thinking is refused, and no block changes its form but by landing.

use std::ops::Range;
use std::sync::Arc;

use headroom_shared::contract::tier::Tier;
use headroom_shared::contract::usage::Usage;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::conversation::{Body, Conversation};
use super::policy::{Policy, Proxy, Workers};
use crate::dialect::Endpoint;
use crate::prices::{Prices, Rates};
use crate::simulation::check::Checker;
use crate::simulation::prompt_cache::{CacheBody, Life, PromptCache};
use crate::simulation::test_model::{OneWordOfThree, report};
use crate::totals::continuations::Continuations;

/// How much dearer than direct a session may be: both bills are sums of estimates.
const TOLERANCE: f64 = 1.001;

/// Seconds between requests: within every cache's life, at the end of the shorter ones, and beyond each.
const GAPS: [u64; 7] = [3, 120, 290, 370, 1900, 3700, 90_000];

const MODELS: [&str; 5] = [
    "claude-opus-4-6",
    "claude-opus-5-5",
    "claude-sonnet-4-5",
    "gpt-4o",
    "gpt-5.6",
];

/// Models of the same providers, to which a session may change.
const OTHER_MODELS: [&str; 5] = [
    "claude-sonnet-4-5",
    "claude-sonnet-5",
    "claude-opus-4-6",
    "gpt-5.6",
    "gpt-4o",
];

/// What happens from one request to the next.
#[derive(Debug, Clone)]
enum Step {
    /// The model runs a tool that reads this file, with so many lines.
    Read { file: usize, lines: usize },
    /// The model has an agent report in so many long lines.
    Report { lines: usize },
    /// The user says something.
    Say,
    /// The client goes back to where the conversation had so many messages, at least one.
    GoBack(usize),
    /// The client replaces all by a summary.
    Compact,
    /// The client changes the model, or changes it back.
    ChangeModel,
    /// The client has these tools from now on.
    ChangeTools(u64),
    /// The client turns thinking on or off.
    ChangeThinking,
}

#[derive(Debug, Clone)]
struct Case {
    model: usize,
    life: Option<Life>,
    thinks: bool,
    /// So many requests go past the proxy before it is there.
    before: usize,
    min_tokens: u64,
    refresh_tokens: u64,
    tail_tokens: u64,
    worker_ms: u64,
    tier: Tier,
    /// After so many of a thousand requests conversations went on.
    continued: u64,
    rates: Rates,
    steps: Vec<(Step, usize)>,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..4usize, 1..150usize).prop_map(|(file, lines)| Step::Read { file, lines }),
        // The same text once more, of which almost nothing goes out.
        4 => Just(Step::Read { file: 0, lines: 150 }),
        4 => (5..30usize).prop_map(|lines| Step::Report { lines }),
        3 => Just(Step::Say),
        1 => (1..20usize).prop_map(Step::GoBack),
        1 => Just(Step::Compact),
        1 => Just(Step::ChangeModel),
        1 => (0..3u64).prop_map(Step::ChangeTools),
        1 => Just(Step::ChangeThinking),
    ]
}

fn rates() -> impl Strategy<Value = Rates> {
    let rate = |input: f64, write: f64, hour: f64, read: f64| Rates {
        input,
        write: input * write,
        write_hour: input * hour,
        read: input * read,
        output: 0.0,
    };
    prop_oneof![
        Just(rate(5.0, 1.25, 2.0, 0.1)),
        Just(rate(4.0, 1.25, 2.0, 0.05)),
        Just(rate(10.0, 1.25, 2.0, 0.025)),
        Just(rate(2.5, 1.0, 1.0, 0.5)),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let life = prop_oneof![Just(Some(Life::Short)), Just(Some(Life::Hour)), Just(None)];
    let about = (0..MODELS.len(), life, any::<bool>(), 0..8usize);
    let workers = (
        prop_oneof![Just(1000u64), Just(u64::MAX)],
        prop_oneof![Just(1000u64), Just(u64::MAX)],
        prop_oneof![1 => Just(0u64), 2 => Just(300)],
        prop_oneof![Just(0u64), Just(1000), Just(60_000), Just(4_000_000)],
        prop_oneof![Just(Tier::Lossless), Just(Tier::Recoverable)],
        prop_oneof![Just(0u64), Just(950), Just(1000)],
    );
    let gap = prop_oneof![1 => Just(0), 1 => 0..GAPS.len()];
    let steps = prop::collection::vec((step(), gap), 3..24);
    (about, workers, rates(), steps).prop_map(|(about, workers, rates, steps)| Case {
        model: about.0,
        life: about.1,
        thinks: about.2,
        before: about.3,
        min_tokens: workers.0,
        refresh_tokens: workers.1,
        tail_tokens: workers.2,
        worker_ms: workers.3,
        tier: workers.4,
        continued: workers.5,
        rates,
        steps,
    })
}

/// A file as a tool prints it: numbered lines, some of which stand in every file.
fn file(number: usize, lines: usize) -> String {
    let line = |line: usize| match line % 3 {
        0 => format!("{line:>6}\u{2192}    let value_{number}_{line} = read(\"{line}\")?;\n"),
        1 => format!("{line:>6}\u{2192}    if value_{line}.is_none() {{\n"),
        _ => format!("{line:>6}\u{2192}        return Err(Error::Missing);\n"),
    };
    (1..=lines).map(line).collect()
}

/// A session on its way.
struct Play<'a> {
    case: &'a Case,
    path: &'static str,
    conversation: Conversation,
    proxy: Proxy,
    checker: Checker,
    /// The provider's cache of what the proxy sends, and of what the client sends.
    caches: [PromptCache; 2],
    bills: [f64; 2],
    now_ms: u64,
    calls: usize,
    model: &'static str,
    tools: u64,
    thinks: bool,
    /// Whether there is thinking in the conversation.
    has_thought: bool,
    /// How many messages the first request through the proxy had: a client that goes back behind that sends blocks as if for the first time
    /// which it has sent past the proxy.
    seen_from: usize,
}

impl<'a> Play<'a> {
    fn new(case: &'a Case) -> Self {
        let is_claude = MODELS[case.model].starts_with("claude");
        let path = if is_claude {
            "/v1/messages"
        } else {
            "/v1/chat/completions"
        };
        let endpoint = Endpoint::of(path).unwrap();
        let workers = Workers {
            min_tokens: case.min_tokens,
            refresh_tokens: case.refresh_tokens,
            tail_tokens: case.tail_tokens,
            tier: case.tier,
            continuations: Continuations::of_a_thousand(case.continued),
            delay_ms: case.worker_ms,
        };
        let prices = Arc::new(Prices::same_for_all(
            MODELS.into_iter().chain(OTHER_MODELS),
            case.rates,
        ));
        Self {
            case,
            path,
            conversation: Conversation::new(path, case.life.filter(|_| is_claude)),
            proxy: Proxy::new(Policy::Headroom, endpoint, workers, &prices)
                .unwrap()
                .with_model(Arc::new(OneWordOfThree)),
            checker: Checker::default(),
            caches: [PromptCache::default(), PromptCache::default()],
            bills: [0.0, 0.0],
            now_ms: 1_000_000,
            calls: 0,
            model: MODELS[case.model],
            tools: 0,
            thinks: case.thinks,
            has_thought: false,
            seen_from: 0,
        }
    }

    fn push(&mut self, message: &Value) {
        self.conversation.push(&message.to_string());
    }

    fn is_claude(&self) -> bool {
        self.path == "/v1/messages"
    }

    /// The model answers with a call, and the tool with a file.
    fn read(&mut self, thinking: Option<&str>, number: usize, lines: usize) {
        let name = format!("/srv/app/file_{number}.rs");
        let call = ["Read", "read"];
        self.call(
            thinking,
            (call, &json!({"file_path": name})),
            &file(number, lines),
        );
    }

    /// The model answers with a call, and an agent reports.
    fn report(&mut self, thinking: Option<&str>, lines: usize) {
        let call = ["Task", "task"];
        let text = report(self.calls, lines);
        self.call(thinking, (call, &json!({"prompt": "Look."})), &text);
    }

    /// The model answers with a call of the tool that one provider's clients name so and the others' so, and the tool with a text.
    fn call(&mut self, thinking: Option<&str>, (tool, input): ([&str; 2], &Value), text: &str) {
        self.calls += 1;
        let id = format!("call-{}", self.calls);
        if self.is_claude() {
            let call = json!({"type": "tool_use", "id": id, "name": tool[0], "input": input});
            let content: Vec<Value> = thinking.map(thought).into_iter().chain([call]).collect();
            self.push(&json!({"role": "assistant", "content": content}));
            let result = json!({"type": "tool_result", "tool_use_id": id, "content": text});
            self.push(&json!({"role": "user", "content": [result]}));
        } else {
            let arguments = input.to_string();
            let call = json!({"id": id, "type": "function", "function": {"name": tool[1], "arguments": arguments}});
            self.push(&json!({"role": "assistant", "content": null, "tool_calls": [call]}));
            self.push(&json!({"role": "tool", "tool_call_id": id, "content": text}));
        }
    }

    /// The model answers in words, and the user says something.
    fn say(&mut self, thinking: Option<&str>) {
        self.calls += 1;
        let words = json!({"type": "text", "text": format!("Done {}.", self.calls)});
        let content: Vec<Value> = thinking.map(thought).into_iter().chain([words]).collect();
        self.push(&json!({"role": "assistant", "content": content}));
        self.push(&json!({"role": "user", "content": format!("Go on {}.", self.calls)}));
    }

    /// Sends a request, directly or through the proxy, and gives the thinking of its answer.
    fn request(&mut self, number: usize) -> Option<String> {
        let model = self.model;
        let body = self.conversation.body(model, self.thinks);
        let body = with_tools(&body, (self.tools, self.case.tier), self.is_claude());
        let signature = format!("signature-{number}-{}", self.calls);
        let thinks = self.thinks && self.is_claude();
        self.has_thought |= thinks;
        let thinking: Vec<&str> = thinks.then_some(signature.as_str()).into_iter().collect();
        for cache in &mut self.caches {
            cache.now_ms = self.now_ms;
        }
        let [cache, direct] = &mut self.caches;
        let path = self.path;
        let direct = serve(direct, (path, &body.bytes), &thinking);
        if number <= self.case.before {
            self.seen_from = self.conversation.len();
        }
        let usage = if number < self.case.before {
            serve(cache, (path, &body.bytes), &thinking)
        } else {
            let turn = self.proxy.turn(&body, self.now_ms, |turn| {
                serve(cache, (path, &turn.sent.to_vec()), &thinking)
            });
            self.checker.check(&body.bytes, &turn).unwrap();
            turn.usage
        };
        self.bills[0] += self.case.rates.cost(usage);
        self.bills[1] += self.case.rates.cost(direct);
        thinks.then_some(signature)
    }

    fn play(mut self) -> [f64; 2] {
        self.push(&json!({"role": "user", "content": "Find out why."}));
        let mut thinking = self.request(0);
        for (number, (step, gap)) in self.case.steps.iter().enumerate() {
            self.now_ms += GAPS[*gap] * 1000;
            let thought = thinking.as_deref();
            if matches!(step, Step::GoBack(_) | Step::Compact) {
                // What follows is another conversation, although the same text may stand at the same place in it.
                self.checker = Checker::default();
            }
            match step {
                // What was sent past the proxy and is sent again as it was, is taken for new.
                Step::GoBack(_) if number + 1 == self.case.before => self.say(thought),
                Step::Read { file, lines } => self.read(thought, *file, *lines),
                Step::Report { lines } => self.report(thought, *lines),
                Step::Say => self.say(thought),
                // Thinking of a model that binds it, sent past the proxy and on to one that does not, can't be told from that one's.
                Step::ChangeModel if number < self.case.before => self.say(thought),
                Step::ChangeModel => {
                    let [usual, other] = [MODELS, OTHER_MODELS].map(|it| it[self.case.model]);
                    self.model = if self.model == usual { other } else { usual };
                    self.say(thought);
                }
                Step::ChangeTools(tools) => {
                    // Thinking that is bound to other tools is refused, whoever sends it.
                    if !self.has_thought {
                        self.tools = *tools;
                    }
                    self.say(thought);
                }
                Step::ChangeThinking => {
                    self.thinks = !self.thinks;
                    self.say(thought);
                }
                Step::GoBack(messages) => {
                    // To a message of the user: those have even positions.
                    let last = (self.conversation.len() - 1).min(messages * 2);
                    let last = (last / 2 * 2 + 1).max(self.seen_from);
                    self.conversation
                        .truncate(last.min(self.conversation.len()));
                }
                Step::Compact => {
                    self.seen_from = 0;
                    self.has_thought = false;
                    self.conversation.truncate(0);
                    let summary = format!("What was done up to {number}: {}", file(9, 60));
                    self.push(&json!({"role": "user", "content": summary}));
                }
            }
            thinking = self.request(number + 1);
        }
        self.bills
    }
}

/// A body with these tools before all else, some 6,000 tokens, marked where the provider caches by markers; with the retrieval tool where
/// forms may leave something out.
fn with_tools(body: &Body, (tools, tier): (u64, Tier), is_marked: bool) -> Body {
    let description = "Does what its name says. ".repeat(1000);
    let mut tool = json!({"name": format!("tool_{tools}"), "description": description});
    if is_marked {
        tool["cache_control"] = json!({"type": "ephemeral"});
    }
    let retrieval = match tier {
        Tier::Lossless => "",
        Tier::Recoverable => r#"{"name":"headroom_retrieve"},"#,
    };
    let tools = format!(r#"{{"tools":[{retrieval}{tool}],"#);
    let shift = tools.len() - 1;
    let shifted = |it: &Range<usize>| it.start + shift..it.end + shift;
    Body {
        bytes: [tools.as_bytes(), &body.bytes[1..]].concat().into(),
        messages: body.messages.iter().map(shifted).collect(),
    }
}

fn thought(signature: &str) -> Value {
    json!({"type": "thinking", "thinking": "Hm.", "signature": signature})
}

/// Has a body that was posted to a path answered with this thinking, and checks that none in it is refused.
fn serve(cache: &mut PromptCache, (path, body): (&str, &[u8]), thinking: &[&str]) -> Usage {
    let body = CacheBody::split(path, body).unwrap();
    let request = body.request();
    cache.check(&request).unwrap();
    let usage = cache.serve_request(&request);
    cache.bind(&request, thinking);
    usage
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn no_session_costs_more_than_going_direct(case in case()) {
        let [bill, direct] = Play::new(&case).play();
        prop_assert!(bill <= direct * TOLERANCE, "{bill} through the proxy, {direct} direct");
    }
}
