//! What the user asks of a replay.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use headroom_shared::contract::model::Model;

use super::conversation::Body;
use super::policy::Policy;
use super::transcripts::{Event, Request, Session};
use crate::dialect::{Endpoint, Provider};
use crate::plan::Planner;
use crate::prices::Prices;
use crate::simulation::prompt_cache::Life;

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
    #[arg(long)]
    pub ttl: Option<Ttl>,

    /// Ask this model in all sessions of its provider [default: the models that were asked].
    #[arg(long)]
    pub model: Option<String>,

    /// Which forms may be sent.
    #[arg(long, value_enum, default_value_t = Tier::Lossless)]
    pub tier: Tier,

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

/// How long a cache marker keeps what it marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Ttl {
    /// Five minutes.
    #[value(name = "5m")]
    Minutes,
    /// An hour.
    #[value(name = "1h")]
    Hour,
}

/// Which forms may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Tier {
    /// Those that give their text back to the letter.
    Lossless,
}

/// What holds for all sessions of a replay.
#[derive(Debug)]
pub(super) struct Options {
    pub(super) prices: Prices,
    pub(super) min_tokens: u64,
    pub(super) worker_ms: u64,
    resumed_at: u64,
    ttl: Option<Ttl>,
    model: Option<String>,
    compare: bool,
}

impl Options {
    /// # Errors
    /// When the prices' file can't be taken.
    pub(super) fn new(args: &ReplayArgs) -> anyhow::Result<Self> {
        let prices = match &args.prices {
            None => Prices::built_in(),
            Some(file) => Prices::with_file(file).context("--prices (or HEADROOM_PRICES)")?,
        };
        Ok(Self {
            prices,
            min_tokens: args.min_tokens,
            worker_ms: u64::from(args.worker_delay) * 1000,
            resumed_at: args.resumed_at,
            ttl: args.ttl,
            model: args.model.clone(),
            compare: args.compare,
        })
    }

    /// The policies to play, the proxy's first: what it sees in a request is known to the others then.
    pub(super) fn policies(&self) -> Vec<Policy> {
        let always = [Policy::Headroom, Policy::Direct, Policy::Bound];
        let others = [
            Policy::CompressAlways,
            Policy::LandWhenReady,
            Policy::NeverLand,
        ];
        let others = others.into_iter().filter(|_| self.compare);
        always.into_iter().chain(others).collect()
    }

    /// Whether a conversation with this body has as many tokens as sessions are to begin with.
    pub(super) fn is_reached(&self, model: &str, body: &Body) -> bool {
        Model::named(model).tokens(body.bytes.len()) >= self.resumed_at
    }

    /// The model that a request asks.
    pub(super) fn model_of<'a>(&'a self, request: &'a Request, endpoint: Endpoint) -> &'a str {
        let model = self.model.as_deref().filter(|model| {
            let is_claude = model.contains("claude");
            is_claude == (endpoint.dialect.provider() == Provider::Anthropic)
        });
        model.unwrap_or(&request.model)
    }

    /// How long the provider keeps what the session's client marks.
    pub(super) fn life(&self, session: &Session) -> Life {
        match self.ttl {
            Some(Ttl::Minutes) => Life::Short,
            Some(Ttl::Hour) => Life::Hour,
            None if writes_for_an_hour(session) => Life::Hour,
            None => Life::Short,
        }
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
