//! The policies that are compared: ways to decide which forms go out in a request.

use std::sync::Arc;

use bytes::Bytes;
use headroom_shared::contract::output_kind::OutputKinds;
use headroom_shared::contract::tier::Tier;
use headroom_shared::contract::usage::Usage;
#[cfg(test)]
use headroom_worker::shortener::Shortener;

use super::conversation::Body;
use crate::dialect::Endpoint;
use crate::plan::known_prefix::KnownPrefix;
use crate::plan::landing::{self, Circumstances, Landing, Obstacle, Occasion};
use crate::plan::{Forms, Planner};
use crate::prices::Prices;
use crate::scan::Scan;
use crate::simulation::Simulation;
use crate::simulation::first_forms::FirstForms;
use crate::simulation::prompt_cache::PromptCache;
use crate::simulation::turn::Turn;
use crate::totals::continuations::Continuations;

/// A way to decide which forms go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    /// The client's own bodies.
    Direct,
    /// Each block in its form as soon as the model has read it once: what is cached changes with every turn.
    CompressAlways,
    /// As the proxy, but a worker's result lands as soon as it is there, whatever the provider has cached.
    LandWhenReady,
    /// As the proxy, but what was sent once stays as it is.
    NeverLand,
    /// The proxy.
    Headroom,
    /// Each block in its form from its first send on, as if compressing took no time: no lossless proxy could do better.
    Bound,
}

impl Policy {
    /// Its name in reports.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::CompressAlways => "compress-always",
            Self::LandWhenReady => "late-landing-as-ready",
            Self::NeverLand => "freeze-after-first-send",
            Self::Headroom => "headroom",
            Self::Bound => "bound",
        }
    }

    /// How it lands what workers make, where it has workers.
    const fn landing(self) -> Option<landing::Rule> {
        match self {
            Self::Headroom => Some(landing::decide),
            Self::LandWhenReady => Some(when_ready),
            Self::NeverLand => Some(never),
            Self::Direct | Self::CompressAlways | Self::Bound => None,
        }
    }
}

fn when_ready(
    scan: &Scan,
    known: &KnownPrefix,
    circumstances: Circumstances<'_>,
) -> Option<Landing> {
    let landing = landing::decide(scan, known, circumstances)?;
    Some(match landing {
        Landing::Waits(Obstacle::Warm) => Landing::Lands(Occasion::Expired),
        other => other,
    })
}

fn never(_: &Scan, known: &KnownPrefix, _: Circumstances<'_>) -> Option<Landing> {
    let deferred = known.deferred.as_ref();
    deferred.map(|_| Landing::Waits(Obstacle::Warm))
}

/// What is left to workers, and how fast they are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Workers {
    /// The smallest cold start that is left to them, in tokens.
    pub(super) min_tokens: u64,
    /// By how many tokens a prefix grows before they compress it anew.
    pub(super) refresh_tokens: u64,
    /// Above how many tokens a new block is left to them alone; 0 where they have no model.
    pub(super) tail_tokens: u64,
    /// What forms may leave out where a request offers the model the retrieval tool.
    pub(super) tier: Tier,
    /// How often conversations go on.
    pub(super) continuations: Continuations,
    /// How long a job takes, in milliseconds.
    pub(super) delay_ms: u64,
}

/// A proxy that decides by one policy with workers.
#[derive(Debug)]
pub(super) struct Proxy {
    simulation: Simulation,
    delay_ms: u64,
}

impl Proxy {
    /// One that has seen nothing; `None` for a policy without workers.
    pub(super) fn new(
        policy: Policy,
        endpoint: Endpoint,
        workers: Workers,
        prices: &Arc<Prices>,
    ) -> Option<Self> {
        let planner = Planner {
            whole_kinds: OutputKinds::NONE,
            min_tokens: workers.min_tokens,
            refresh_tokens: workers.refresh_tokens,
            tail_tokens: workers.tail_tokens,
            tier: workers.tier,
            continuations: workers.continuations,
            landing: policy.landing()?,
        };
        let rules = (endpoint.dialect, planner);
        let cache = PromptCache::default();
        Some(Self {
            simulation: Simulation::with_prices(rules, cache, Arc::clone(prices)),
            delay_ms: workers.delay_ms,
        })
    }

    /// The same, whose workers have this model.
    #[cfg(test)]
    pub(super) fn with_model(mut self, model: Arc<dyn Shortener>) -> Self {
        self.simulation.shortener = Some(model);
        self
    }

    /// Sends a request at this time.
    pub(super) fn turn(
        &mut self,
        body: &Body,
        now_ms: u64,
        serve: impl FnOnce(&Turn) -> Usage,
    ) -> Turn {
        self.simulation.now_ms = now_ms;
        if let Some(until) = now_ms.checked_sub(self.delay_ms) {
            self.simulation.run_jobs_pushed_until(until);
        }
        self.simulation.turn_with(&body.bytes, serve)
    }
}

/// The forms that go out in a request where compressing takes no time.
#[derive(Debug)]
pub(super) struct UnlimitedForms {
    bound: Forms,
    always: Forms,
}

impl UnlimitedForms {
    /// Those of a policy without workers: all, or those of what the model has read.
    pub(super) const fn of(&self, policy: Policy) -> &Forms {
        match policy {
            Policy::CompressAlways => &self.always,
            _ => &self.bound,
        }
    }
}

/// What goes out where compressing takes no time.
#[derive(Debug)]
pub(super) struct Unlimited {
    forms: FirstForms,
    has_begun: bool,
}

impl Unlimited {
    pub(super) fn new() -> Self {
        Self {
            forms: FirstForms::new(),
            has_begun: false,
        }
    }

    /// The forms that the policies without workers send.
    pub(super) fn forms(&mut self, body: &Body, scan: &Arc<Scan>) -> UnlimitedForms {
        if !self.has_begun {
            self.has_begun = true;
            if let Some(thinking) = scan.last_thinking().filter(|_| scan.facts.binds_thinking) {
                // It was bound to these originals before anything was compressed.
                self.forms.keep_originals(scan, thinking);
            }
        }
        let new_from = scan.last_from_model().map_or(0, |last| last + 1);
        let bound: Forms = self
            .forms
            .of(&body.bytes, scan)
            .into_iter()
            .enumerate()
            .filter_map(|(index, form)| Some((index, form?)))
            .collect();
        let is_old =
            |(index, _): &&(usize, Bytes)| (scan.blocks[*index].place.message as usize) < new_from;
        let always = bound.iter().filter(is_old).cloned().collect();
        UnlimitedForms { bound, always }
    }
}
