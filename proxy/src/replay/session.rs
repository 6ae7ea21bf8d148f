//! Plays one session under several policies, each before a provider's cache of its own.

use std::ops::Range;
use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use headroom_shared::contract::usage::Usage;

use super::conversation::{Body, Conversation};
use super::options::Options;
use super::policy::{Policy, Proxy, Unlimited};
use super::retrievals::Retrievals;
use super::sources::Sources;
use super::transcripts::{Event, Request, Session};
use crate::dialect::{Endpoint, Provider};
use crate::plan::Forms;
use crate::plan::splice::Rope;
use crate::scan::Scan;
use crate::simulation::prompt_cache::{CacheRequest, Format, Head, PromptCache};

/// What the transcript states of a session's input may be this many times what was estimated, or this part of it.
const LARGEST_CORRECTION: f64 = 3.0;

/// A longer gap between two requests is not told from this: no cache outlives it.
const LONGEST_GAP_MS: u64 = 7 * 24 * 3_600_000;

/// What a session cost.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) id: String,
    pub(super) client: &'static str,
    /// The model of its last request.
    pub(super) model: String,
    /// Whether the rates of a request are those of another model.
    pub(super) is_guess: bool,
    /// What its input has cost up to each request, in dollars, by policy.
    pub(super) bills: Vec<(Policy, Vec<f64>)>,
    /// Where the savings come from.
    pub(super) sources: Sources,
}

impl Outcome {
    /// How many requests were played.
    pub(super) fn requests(&self) -> usize {
        self.bills.first().map_or(0, |(_, bill)| bill.len())
    }

    /// What the input of all requests cost under a policy, in dollars; nothing where that was not played.
    pub(super) fn usd(&self, policy: Policy) -> f64 {
        self.bill(policy).last().copied().unwrap_or(0.0)
    }

    /// What the input has cost up to each request under a policy, in dollars; empty where that was not played.
    pub(super) fn bill(&self, policy: Policy) -> &[f64] {
        let bill = self.bills.iter().find(|(played, _)| *played == policy);
        bill.map_or(&[], |(_, bill)| bill)
    }

    /// What the input costs under a policy as a part of what it costs directly; 1 where that is nothing.
    pub(super) fn ratio(&self, policy: Policy) -> f64 {
        ratio(self.usd(policy), self.usd(Policy::Direct))
    }
}

/// A cost as a part of what it would be directly; 1 where that is nothing.
pub(super) fn ratio(usd: f64, direct_usd: f64) -> f64 {
    if direct_usd > 0.0 {
        usd / direct_usd
    } else {
        1.0
    }
}

/// Plays a session; `None` where it has no request to play.
///
/// # Errors
/// When no request format belongs to its path.
pub(super) fn play(session: &Session, options: &Options<'_>) -> anyhow::Result<Option<Outcome>> {
    let path = session.path;
    let endpoint = Endpoint::of(path).with_context(|| format!("{path} is no endpoint"))?;
    let format = Format::of_path(path).with_context(|| format!("{path} is not billed"))?;
    let is_marked = endpoint.dialect.provider() == Provider::Anthropic;
    let life = is_marked.then(|| options.life(session));
    let mut play = Play {
        options,
        endpoint,
        format,
        head: Head::assumed(0, session.head_tokens, 2, life),
        conversation: Conversation::new(path, life).in_tier(path, options.tier()),
        lanes: lanes(endpoint, options),
        unlimited: Unlimited::new(),
        sources: Sources::default(),
        retrievals: Retrievals::new(options.retrieved_percent()),
        now_ms: 0,
        last_at_ms: 0,
        has_begun: false,
        is_guess: false,
        stated: 0,
        estimated: 0,
    };
    let mut last = None;
    for event in &session.events {
        match event {
            Event::Message(message) => play.conversation.push(message),
            Event::Truncate(messages) => play.conversation.truncate(*messages),
            Event::Request(request) => {
                if play.request(request) {
                    last = Some(request);
                }
            }
        }
    }
    Ok(last.map(|last| play.outcome(session, last)))
}

/// A session that is being played.
struct Play<'a> {
    options: &'a Options<'a>,
    endpoint: Endpoint,
    format: Format,
    head: Head,
    conversation: Conversation,
    lanes: Vec<Lane>,
    unlimited: Unlimited,
    sources: Sources,
    retrievals: Retrievals,
    now_ms: u64,
    /// When the last request was sent, as the transcript has it.
    last_at_ms: u64,
    /// Whether a request was played.
    has_begun: bool,
    is_guess: bool,
    /// Tokens of input that the transcript states.
    stated: u64,
    /// Tokens of input that were estimated of the same requests.
    estimated: u64,
}

/// One policy, and what it cost.
struct Lane {
    policy: Policy,
    /// For a policy with workers.
    proxy: Option<Proxy>,
    cache: PromptCache,
    /// What the input has cost up to each request, in dollars.
    bill: Vec<f64>,
}

/// A lane for each policy. What is known of messages is shared by their caches.
fn lanes(endpoint: Endpoint, options: &Options<'_>) -> Vec<Lane> {
    let cache = PromptCache::default();
    let lane = |policy| Lane {
        policy,
        proxy: Proxy::new(policy, endpoint, options.workers(), &options.prices),
        cache: cache.clone(),
        bill: Vec::new(),
    };
    options.policies().into_iter().map(lane).collect()
}

impl Play<'_> {
    /// Plays a request under every policy; false where it has no messages or stands before where the session is resumed.
    fn request(&mut self, request: &Request) -> bool {
        if self.conversation.len() == 0 {
            return false;
        }
        self.advance_to(request.at_ms);
        let model = self.options.model_of(request, self.endpoint);
        let body = self.conversation.body(model, request.thinking);
        self.has_begun |= self.options.is_reached(model, &body);
        if !self.has_begun {
            return false;
        }
        let price = self.options.prices.of(model);
        self.is_guess |= price.is_guess;
        let rates = price.rates;
        let template = CacheRequest {
            format: self.format,
            model,
            head: &self.head,
            messages: &[],
        };
        let (mut scan, mut unlimited) = (Arc::<Scan>::default(), None);
        for lane in &mut self.lanes {
            let Lane {
                policy,
                proxy,
                cache,
                bill,
            } = lane;
            cache.now_ms = self.now_ms;
            let mut retrievals = 0.0;
            let usage = match proxy {
                Some(proxy) => {
                    let turn = proxy.turn(&body, self.now_ms, |turn| {
                        serve(cache, &template, (&body, &turn.scan, &turn.forms))
                    });
                    if *policy == Policy::Headroom {
                        self.sources.count(&body, &turn, &rates);
                        retrievals = self.retrievals.cost(&turn, &rates);
                        scan = Arc::clone(&turn.scan);
                    }
                    turn.usage
                }
                None if *policy == Policy::Direct => {
                    let usage = serve(cache, &template, (&body, &scan, &Forms::new()));
                    if let Some(stated) = request.usage {
                        self.stated = self.stated.saturating_add(stated.input);
                        self.estimated = self.estimated.saturating_add(usage.input);
                    }
                    usage
                }
                None => {
                    let unlimited =
                        unlimited.get_or_insert_with(|| self.unlimited.forms(&body, &scan));
                    serve(cache, &template, (&body, &scan, unlimited.of(*policy)))
                }
            };
            let before = bill.last().copied().unwrap_or(0.0);
            bill.push(before + rates.cost(usage) + retrievals);
        }
        true
    }

    /// Lets the time pass up to a request. One that is wrong does not stop the clock.
    fn advance_to(&mut self, at_ms: u64) {
        let gap = at_ms.saturating_sub(self.last_at_ms);
        self.now_ms += gap.min(LONGEST_GAP_MS);
        self.last_at_ms = at_ms;
    }

    /// What the session came to, given its last request.
    fn outcome(self, session: &Session, last: &Request) -> Outcome {
        let model = self.options.model_of(last, self.endpoint).to_owned();
        let correction = if self.estimated > 0 && model == last.model {
            let correction = self.stated as f64 / self.estimated as f64;
            correction.clamp(1.0 / LARGEST_CORRECTION, LARGEST_CORRECTION)
        } else {
            1.0
        };
        let corrected = |lane: Lane| {
            let bill = lane.bill.iter().map(|usd| usd * correction).collect();
            (lane.policy, bill)
        };
        let mut outcome = Outcome {
            id: session.id.clone(),
            client: session.client,
            is_guess: self.is_guess,
            model,
            bills: self.lanes.into_iter().map(corrected).collect(),
            sources: self.sources,
        };
        let saved = outcome.usd(Policy::Direct) - outcome.usd(Policy::Headroom);
        outcome.sources.scale_to(saved.max(0.0));
        outcome
    }
}

/// Has a request answered in which these forms stand, and gives its usage.
fn serve(
    cache: &mut PromptCache,
    template: &CacheRequest<'_>,
    (body, scan, forms): (&Body, &Scan, &Forms),
) -> Usage {
    let messages = sent_messages(body, scan, forms);
    let messages: Vec<&[u8]> = messages.iter().map(|message| &message[..]).collect();
    cache.serve_request(&CacheRequest {
        messages: &messages,
        ..*template
    })
}

/// The messages of a body with these forms in place of their blocks.
pub(super) fn sent_messages(body: &Body, scan: &Scan, forms: &Forms) -> Vec<Bytes> {
    let mut forms = forms.iter().peekable();
    let mut sent = |message: &Range<usize>| {
        let raw = body.bytes.slice(message.clone());
        let within = |(index, _): &&(usize, Bytes)| scan.blocks[*index].span.end <= message.end;
        let mut replaced = Vec::new();
        while let Some((index, form)) = forms.next_if(within) {
            let span = &scan.blocks[*index].span;
            let span = span.start - message.start..span.end - message.start;
            replaced.push((span, form.clone()));
        }
        match replaced.is_empty() {
            true => raw,
            false => Rope::splice(&raw, replaced).to_vec().into(),
        }
    };
    body.messages.iter().map(&mut sent).collect()
}
