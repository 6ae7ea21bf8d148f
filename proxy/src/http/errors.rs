//! Error responses of the proxy itself, in the format of the provider, which its clients understand.

use axum::body::Body;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::json;

use crate::app::Rules;
use crate::dialect::Provider;
use crate::http::body::BodyError;
use crate::upstream::UpstreamError;
use crate::upstream::allowed::NotAllowed;

/// An error response in the provider's format.
pub(crate) fn error(provider: Provider, status: StatusCode, message: &str) -> Response<Body> {
    let message = format!("headroom-proxy: {message}");
    let document = match provider {
        Provider::Anthropic => {
            json!({"type": "error", "error": {"type": anthropic_kind(status), "message": message}})
        }
        Provider::OpenAi => {
            let kind = if status.is_client_error() {
                "invalid_request_error"
            } else {
                "server_error"
            };
            json!({"error": {"message": message, "type": kind, "param": null, "code": openai_code(status)}})
        }
    };
    let mut response = Response::new(Body::from(document.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

/// The response to a request that this process has no memory for.
pub(crate) fn over_budget(provider: Provider) -> Response<Body> {
    let message = "no memory is left for this request (HEADROOM_MAX_MEMORY): try again";
    let mut response = error(provider, StatusCode::SERVICE_UNAVAILABLE, message);
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// The response to a handshake for a WebSocket where these are refused: clients such as Codex then use HTTP.
pub(crate) fn websocket_refused(provider: Provider) -> Response<Body> {
    let message = "WebSockets are refused here (HEADROOM_WEBSOCKET): use HTTP";
    let mut response = error(provider, StatusCode::UPGRADE_REQUIRED, message);
    // RFC 9110, section 15.5.22.
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("HTTP/1.1"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    response
}

/// The response to a request whose body could not be read within what the settings allow.
pub(crate) fn body_error(provider: Provider, body: BodyError, rules: &Rules) -> Response<Body> {
    let (status, message) = match body {
        BodyError::TooLarge => {
            let limit = rules.max_body_bytes;
            let message =
                format!("the request body is larger than {limit} bytes (HEADROOM_MAX_BODY_BYTES)");
            (StatusCode::PAYLOAD_TOO_LARGE, message)
        }
        BodyError::Stalled => {
            let seconds = rules.body_timeout.as_secs();
            let message = format!(
                "nothing more of the request body came for {seconds} s (HEADROOM_BODY_TIMEOUT_SECONDS)"
            );
            (StatusCode::REQUEST_TIMEOUT, message)
        }
        BodyError::Incomplete => {
            let message = "the request body ended before all of it had come";
            (StatusCode::BAD_REQUEST, message.to_owned())
        }
    };
    error(provider, status, &message)
}

/// The response to a request whose provider switched protocols unasked.
pub(crate) fn unexpected_upgrade(provider: Provider) -> Response<Body> {
    let message = "the provider switched to a protocol that was not asked for";
    error(provider, StatusCode::BAD_GATEWAY, message)
}

/// The response to a request that may not be sent where it asks.
pub(crate) fn not_allowed(provider: Provider, refused: &NotAllowed) -> Response<Body> {
    tracing::warn!(error = %refused, "a request was refused");
    let message = refused.to_string();
    error(provider, StatusCode::MISDIRECTED_REQUEST, &message)
}

/// The response to a request that got no response from its provider.
pub(crate) fn upstream_error(provider: Provider, error: &UpstreamError) -> Response<Body> {
    tracing::warn!(%error, "a request got no answer from its provider");
    let status = match error {
        UpstreamError::Target(_) => StatusCode::BAD_REQUEST,
        UpstreamError::Failed { .. } => StatusCode::BAD_GATEWAY,
    };
    self::error(provider, status, &error.to_string())
}

/// Anthropic's word for a status (its documentation of API errors).
const fn anthropic_kind(status: StatusCode) -> &'static str {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => "request_too_large",
        status if status.as_u16() < 500 => "invalid_request_error",
        _ => "api_error",
    }
}

fn openai_code(status: StatusCode) -> Option<&'static str> {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => Some("request_too_large"),
        StatusCode::BAD_GATEWAY => Some("bad_gateway"),
        _ => None,
    }
}
