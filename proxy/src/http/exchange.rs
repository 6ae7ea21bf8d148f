//! One request of a dialect, as everything that has to do with it knows it.

use std::sync::Arc;

use crate::app::App;
use crate::dialect::Dialect;
use crate::http::headers::RequestId;

/// One request of a dialect.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    pub(crate) app: Arc<App>,
    pub(crate) dialect: &'static dyn Dialect,
    pub(crate) id: RequestId,
}
