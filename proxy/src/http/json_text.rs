//! A JSON document as a response.

use axum::body::Body;
use axum::response::IntoResponse as _;
use http::{Response, StatusCode, header};
use serde_json::Value;

pub(super) fn json_text(status: StatusCode, document: &Value) -> Response<Body> {
    let content_type = [(header::CONTENT_TYPE, "application/json")];
    (status, content_type, document.to_string()).into_response()
}
