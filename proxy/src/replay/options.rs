//! What the user asks of a replay.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use headroom_shared::contract::model::Model;
use headroom_shared::contract::tier::Tier;

use super::conversation::Body;
use super::policy::{Policy, Workers};
use super::transcripts::{Event, Request, Session};
use crate::dialect::{Endpoint, Provider};
use crate::plan::Planner;
use crate::prices::Prices;
use crate::simulation::prompt_cache::Life;
use crate::totals::continuations::Continuations;

/// The flags of `replay`.
#[derive(Debug, Clone, Args)]
pub struct ReplayArgs {
    /// Transcripts, or folders with transcripts [default: those of Claude Code and Codex in your home folder].
    pub paths: Vec<PathBuf>,

    /// Print JSON instead of tables.
    #[arg(long)]
    pub json: bool,

    /// Write a report to be read in a browser to this file, too.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,

    /// Compare with other ways to decide what goes out, too.
    #[arg(long)]
    pub compare: bool,

    /// How long the provider keeps what Anthropic's clients have it cache [default: what the transcript's usage shows, else 5m].
    #[arg(long, value_parser = PossibleValuesParser::new(["5m", "1h"]).map(life))]
    pub ttl: Option<Life>,

    /// Ask this model in all sessions of its provider [default: the models that were asked].
    #[arg(long)]
    pub model: Option<String>,

    /// What forms may leave out: lossless: nothing; recoverable: what the agent can fetch again, as if each request offered the tool for
    /// that.
    #[arg(long, default_value = "lossless")]
    pub tier: Tier,

    /// How many of a hundred shortened texts the agent fetches again, each at the cost of a turn.
    #[arg(long, value_name = "PERCENT", default_value_t = 5, value_parser = clap::value_parser!(u32).range(0..=100))]
    pub retrieved: u32,

    /// Begin each session where its conversation has so many tokens, as if it was resumed there and nothing was cached.
    #[arg(long, value_name = "TOKENS", default_value_t = 0)]
    pub resumed_at: u64,

    /// How long a worker takes for a job, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 1)]
    pub worker_delay: u32,

    /// Smallest cold start that is left to a worker, in tokens of its messages.
    #[arg(long, value_name = "TOKENS", default_value_t = Planner::DEFAULT_MIN_TOKENS)]
    pub min_tokens: u64,

    /// File with what models cost, as for the proxy.
    #[arg(long, env = "HEADROOM_PRICES", value_name = "FILE")]
    pub prices: Option<PathBuf>,
}

/// How long a cache marker keeps what it marks, by its name.
#[expect(clippy::needless_pass_by_value, reason = "what clap hands on")]
fn life(name: String) -> Life {
    if name == "1h" {
        Life::Hour
    } else {
        Life::Short
    }
}

/// What holds for all sessions of a replay.
#[derive(Debug)]
pub(super) struct Options<'a> {
    pub(super) prices: Arc<Prices>,
    args: &'a ReplayArgs,
}

impl<'a> Options<'a> {
    /// # Errors
    /// When the prices' file can't be taken.
    pub(super) fn new(args: &'a ReplayArgs) -> anyhow::Result<Self> {
        let prices = match &args.prices {
            None => Prices::built_in(),
            Some(file) => Prices::with_file(file).context("--prices (or HEADROOM_PRICES)")?,
        };
        Ok(Self {
            prices: Arc::new(prices),
            args,
        })
    }

    /// What forms may leave out.
    pub(super) const fn tier(&self) -> Tier {
        self.args.tier
    }

    /// How many of a hundred shortened texts the agent fetches again.
    pub(super) const fn retrieved_percent(&self) -> u32 {
        self.args.retrieved
    }

    /// What is left to workers.
    pub(super) fn workers(&self) -> Workers {
        Workers {
            continuations: Continuations::NONE,
            min_tokens: self.args.min_tokens,
            refresh_tokens: Planner::DEFAULT_REFRESH_TOKENS,
            tail_tokens: 0,
            tier: self.args.tier,
            delay_ms: u64::from(self.args.worker_delay) * 1000,
        }
    }

    /// The policies to play, the proxy's first: what it sees in a request is known to the others then.
    pub(super) fn policies(&self) -> Vec<Policy> {
        let always = [Policy::Headroom, Policy::Direct, Policy::Bound];
        let others = [
            Policy::CompressAlways,
            Policy::LandWhenReady,
            Policy::NeverLand,
        ];
        let others = others.into_iter().filter(|_| self.args.compare);
        always.into_iter().chain(others).collect()
    }

    /// Whether a conversation with this body has as many tokens as sessions are to begin with.
    pub(super) fn is_reached(&self, model: &str, body: &Body) -> bool {
        Model::named(model).tokens(body.bytes.len()) >= self.args.resumed_at
    }

    /// The model that a request asks.
    pub(super) fn model_of<'m>(&'m self, request: &'m Request, endpoint: Endpoint) -> &'m str {
        let model = self.args.model.as_deref().filter(|model| {
            let is_claude = model.contains("claude");
            is_claude == (endpoint.dialect.provider() == Provider::Anthropic)
        });
        model.unwrap_or(&request.model)
    }

    /// How long the provider keeps what the session's client marks.
    pub(super) fn life(&self, session: &Session) -> Life {
        let of_usage = match writes_for_an_hour(session) {
            true => Life::Hour,
            false => Life::Short,
        };
        self.args.ttl.unwrap_or(of_usage)
    }
}

/// Whether most of what the session's requests wrote to the cache was kept for an hour.
fn writes_for_an_hour(session: &Session) -> bool {
    let requests = session.events.iter().filter_map(|event| match event {
        Event::Request(request) => request.usage,
        Event::Message(_) | Event::Truncate(_) => None,
    });
    let (written, hour) = requests.fold((0, 0), |(written, hour), usage| {
        let add = |sum: u64, tokens| sum.saturating_add(tokens);
        (add(written, usage.written), add(hour, usage.written_hour))
    });
    hour > written / 2
}
