//! Sends a request to its provider so that it is seen: in a span of its own, timed, and counted.

use std::time::Instant;

use headroom_shared::traces::{Kind, Span};
use http::Response;

use crate::app::App;
use crate::http::account::Account;
use crate::metrics::model_family::ModelFamily;
use crate::upstream::{ResponseBody, UpstreamError};

/// The provider's response to a request, or why there is none.
pub(super) type UpstreamResult = Result<Response<ResponseBody>, UpstreamError>;

/// Waits for the response to a request that `sending` sends. It is counted for this family of models, if any.
pub(super) async fn observed(
    app: &App,
    (family, account): (Option<ModelFamily>, &mut Account),
    sending: impl Future<Output = UpstreamResult>,
) -> UpstreamResult {
    let mut span = Span::begin("upstream", Kind::Client, &account.span.as_parent());
    let began = Instant::now();
    let response = sending.await;
    let took = began.elapsed();
    account.elsewhere += took;
    let status = response.as_ref().ok().map(Response::status);
    if let Some(family) = family {
        app.counts.upstream.sent(family, status, took);
    }
    match status {
        Some(status) => span.set("http.response.status_code", i64::from(status.as_u16())),
        None => span.fail("there is no response"),
    }
    response
}
