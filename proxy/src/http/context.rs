//! What all code that handles one request of a dialect needs.

use std::sync::Arc;

use tracing::Instrument as _;

use crate::app::App;
use crate::dialect::Dialect;
use crate::http::headers::RequestId;

/// One request of a dialect.
#[derive(Debug, Clone)]
pub(crate) struct RequestContext {
    pub(crate) app: Arc<App>,
    pub(crate) dialect: &'static dyn Dialect,
    pub(crate) id: RequestId,
}

impl RequestContext {
    /// Does work for this request that nobody waits for but a stop.
    pub(crate) fn spawn_in_background(&self, work: impl Future<Output = ()> + Send + 'static) {
        let App {
            tasks, background, ..
        } = &*self.app;
        tasks.spawn_on(work.in_current_span(), background);
    }
}
