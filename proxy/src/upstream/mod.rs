//! The way to the providers: warm connections, headers by the book, and nothing else.

mod connect;
mod headers;

use std::time::Duration;

use axum::body::Body;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, header};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use url::Url;

use self::connect::Timed;
pub(crate) use self::headers::end_to_end;
use crate::dialect::Provider;
use crate::settings::Upstreams;

/// How long a connection to a provider may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an idle connection is kept: less than common servers and load balancers do (60 s and more), so that ours is the
/// side that closes.
const IDLE: Duration = Duration::from_secs(50);
/// After this long without traffic the system asks whether the peer is still there, and gives it up after a few silent
/// intervals: an answer may take long, but a dead connection is not waited on.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_RETRIES: u32 = 3;

/// The providers' APIs.
#[derive(Debug, Clone)]
pub(crate) struct Upstream {
    client: Client<Timed<HttpsConnector<HttpConnector>>, Body>,
    anthropic: Url,
    openai: Url,
}

/// Why a request got no answer from its provider.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unanswered {
    /// The request's target is nothing that can be asked of the provider.
    #[error("{0:?} is not a path that can be forwarded")]
    Target(String),
    /// No connection, or no answer on it.
    #[error("{host} did not answer: {cause}")]
    Failed {
        /// The provider's host.
        host: String,
        /// What went wrong, down to the system's word for it.
        cause: String,
    },
}

impl Upstream {
    /// Reads the certificates that this system trusts (where it has none, Mozilla's list is built in) and makes no connection
    /// yet.
    pub(crate) fn new(settings: &Upstreams) -> Self {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_keepalive(Some(KEEPALIVE));
        http.set_keepalive_interval(Some(KEEPALIVE_INTERVAL));
        http.set_keepalive_retries(Some(KEEPALIVE_RETRIES));
        let builder = HttpsConnectorBuilder::new();
        let builder = builder.with_native_roots().unwrap_or_else(|error| {
            tracing::warn!(%error, "this system trusts no certificates: going by Mozilla's list");
            HttpsConnectorBuilder::new().with_webpki_roots()
        });
        let https = builder.https_or_http().enable_http1().wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .build(Timed::new(https, CONNECT_TIMEOUT));
        Self {
            client,
            anthropic: settings.anthropic.clone(),
            openai: settings.openai.clone(),
        }
    }

    /// Sends a request to its provider. Dropping the future takes the request back.
    ///
    /// # Errors
    /// When there is no connection, or no answer on it.
    pub(crate) async fn send(
        &self,
        provider: Provider,
        (method, target): (Method, &PathAndQuery),
        headers: HeaderMap,
        body: Body,
    ) -> Result<Response<Incoming>, Unanswered> {
        let base = self.base(provider);
        let uri = join(base, target).ok_or_else(|| Unanswered::Target(target.path().to_owned()))?;
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        if let Ok(host) = HeaderValue::from_str(base.authority()) {
            request.headers_mut().insert(header::HOST, host);
        }
        self.client
            .request(request)
            .await
            .map_err(|error| Unanswered::Failed {
                host: base.authority().to_owned(),
                cause: causes(&error),
            })
    }

    /// The provider's base URL.
    pub(crate) const fn base(&self, provider: Provider) -> &Url {
        match provider {
            Provider::Anthropic => &self.anthropic,
            Provider::OpenAi => &self.openai,
        }
    }
}

/// The base URL with a request's path and query behind it. A base that ends in `/v1`, as clients word it, does not double it.
fn join(base: &Url, target: &PathAndQuery) -> Option<Uri> {
    let mut start = base.path().trim_end_matches('/');
    if target.path().starts_with("/v1/") {
        start = start.strip_suffix("/v1").unwrap_or(start);
    }
    Uri::builder()
        .scheme(base.scheme())
        .authority(base.authority())
        .path_and_query(format!("{start}{target}"))
        .build()
        .ok()
}

/// An error and all that caused it, in one line.
fn causes(error: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    chain
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_joined_to_the_base() {
        for (base, target, uri) in [
            (
                "https://api.anthropic.com",
                "/v1/messages?beta=true",
                "https://api.anthropic.com/v1/messages?beta=true",
            ),
            (
                "http://h:81/v1",
                "/v1/responses",
                "http://h:81/v1/responses",
            ),
            (
                "http://h/v1/",
                "/v1/models?a=b%20c",
                "http://h/v1/models?a=b%20c",
            ),
            (
                "http://h/gateway",
                "/v1/messages",
                "http://h/gateway/v1/messages",
            ),
            ("http://h", "/api/hello", "http://h/api/hello"),
        ] {
            let joined = join(&base.parse().unwrap(), &target.parse().unwrap()).unwrap();
            assert_eq!(joined.to_string(), uri);
        }
    }
}
