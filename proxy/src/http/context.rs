//! What all code that handles one request of a dialect needs.

use std::sync::Arc;

use headroom_shared::contract::output_kind::OutputKinds;
use headroom_shared::contract::tier::Tier;
use headroom_shared::runtime::clock::now_ms;
use tracing::Instrument as _;

use crate::app::App;
use crate::dialect::Dialect;
use crate::http::headers::RequestId;
use crate::plan::Planner;

/// One request of a dialect.
#[derive(Debug, Clone)]
pub(crate) struct RequestContext {
    pub(crate) app: Arc<App>,
    pub(crate) dialect: &'static dyn Dialect,
    pub(crate) id: RequestId,
    /// What forms may leave out, where the client says it.
    pub(crate) tier: Option<Tier>,
}

impl RequestContext {
    /// The rules by which it is planned.
    pub(crate) fn planner(&self) -> Planner {
        let planner = self.app.rules.planner;
        let tier = self.tier.unwrap_or(planner.tier);
        let has_model = !tier.is_lossless() && self.app.jobs.fleet.has_model();
        Planner {
            tier,
            tail_tokens: if has_model { planner.tail_tokens } else { 0 },
            whole_kinds: match tier {
                Tier::Recoverable => self.app.ledger.whole_kinds(now_ms()),
                Tier::Lossless => OutputKinds::NONE,
            },
            ..planner
        }
    }

    /// Does work for this request that nobody waits for but a stop.
    pub(crate) fn spawn_in_background(&self, work: impl Future<Output = ()> + Send + 'static) {
        let App {
            tasks, background, ..
        } = &*self.app;
        tasks.spawn_on(work.in_current_span(), background);
    }
}
