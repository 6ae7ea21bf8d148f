//! The handshake of a `WebSocket`: passed to the provider and back, but for extensions, with which its frames could not be read.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use http::{HeaderMap, HeaderValue, Method, Response, Uri, header};
use hyper::upgrade::OnUpgrade;

use super::relay;
use super::requests::Requests;
use super::responses::Responses;
use crate::app::App;
use crate::dialect::{Endpoint, MessageTypes};
use crate::header_list::items;
use crate::http::headers;
use crate::upstream::ResponseBody;

/// A client's request to upgrade its connection to a WebSocket.
#[derive(Debug)]
pub(crate) struct Upgrade {
    client: OnUpgrade,
    /// The `Upgrade` header as the client wrote it.
    protocol: HeaderValue,
    /// Where the requests on it are to be compressed: to where they go, how they are known, and the client's target and headers.
    requests: Option<(Endpoint, &'static MessageTypes, Uri, HeaderMap)>,
}

impl Upgrade {
    /// Takes the upgrade from a request that asks for one. No other protocol is supported.
    pub(crate) fn take_from(request: &mut Request) -> Option<Self> {
        let protocol = protocol(request.headers())?.clone();
        if request.method() != Method::GET {
            return None;
        }
        // Only an HTTP/1.1 connection can be upgraded, and only there does the server put this.
        let client = request.extensions_mut().remove::<OnUpgrade>()?;
        Some(Self {
            client,
            protocol,
            requests: None,
        })
    }

    /// Has the requests on it compressed, if the endpoint takes any on a WebSocket; says whether it does. `target` and `headers` are the client's.
    pub(crate) fn compress(
        &mut self,
        endpoint: Endpoint,
        target: &Uri,
        headers: &HeaderMap,
    ) -> bool {
        self.requests = endpoint.message_types().map(|types| {
            let mut headers = headers.clone();
            // It would be the handshake's own.
            headers.remove(header::CONTENT_ENCODING);
            (endpoint, types, target.clone(), headers)
        });
        self.requests.is_some()
    }

    /// Adds the upgrade to the headers that go to the provider.
    pub(crate) fn add_to(&self, headers: &mut HeaderMap) {
        set_upgrade(headers, self.protocol.clone());
        if self.requests.is_some() {
            headers.remove(header::SEC_WEBSOCKET_EXTENSIONS);
        }
    }

    /// Passes the provider's 101 response on and joins both sides. `None` where the response upgrades to something else.
    pub(crate) fn accept(
        self,
        app: &Arc<App>,
        response: Response<ResponseBody>,
    ) -> Option<Response<Body>> {
        let (mut parts, _no_body) = response.into_parts();
        let protocol = protocol(&parts.headers)?.clone();
        let provider = parts.extensions.remove::<OnUpgrade>()?;
        headers::end_to_end(&mut parts.headers);
        set_upgrade(&mut parts.headers, protocol);
        let has_extension = parts.headers.contains_key(header::SEC_WEBSOCKET_EXTENSIONS);
        if has_extension && self.requests.is_some() {
            tracing::warn!(
                "the provider uses a WebSocket extension that it was not asked for: the connection is relayed, and nothing on it is compressed"
            );
        }
        let requests = self.requests.filter(|_| !has_extension);
        let requests = requests.map(|(endpoint, types, target, headers)| Requests {
            app: Arc::clone(app),
            endpoint,
            types,
            target,
            headers,
            responses: Arc::new(Responses::default()),
        });
        let (stream, client) = (app.streams.token(), self.client);
        app.tasks.spawn(async move {
            let _stream = stream;
            if let Err(error) = relay::join(client, provider, requests).await {
                tracing::debug!(%error, "a WebSocket ended early");
            }
        });
        Some(Response::from_parts(parts, Body::empty()))
    }
}

/// The value of `Upgrade`, where these headers ask for or agree to a WebSocket.
fn protocol(headers: &HeaderMap) -> Option<&HeaderValue> {
    let connection = headers.get_all(header::CONNECTION).iter();
    let mut options = connection.flat_map(items);
    options.find(|option| option.eq_ignore_ascii_case(b"upgrade"))?;
    let protocol = headers.get(header::UPGRADE)?;
    protocol
        .as_bytes()
        .eq_ignore_ascii_case(b"websocket")
        .then_some(protocol)
}

/// Sets the upgrade headers, which are for one hop only, on the next hop's headers.
fn set_upgrade(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, protocol);
}
