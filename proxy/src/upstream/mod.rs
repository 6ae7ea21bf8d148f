//! Sends requests to the providers, over connections that are kept warm.

pub(crate) mod allowed;
mod base_url;
pub(crate) mod config;
mod connection;
mod connector;
mod custom_pools;
mod ignore_write_errors;
mod pool;
pub(crate) mod proxies;
mod reach;
mod request;
mod request_body;
mod response_body;
mod settings;
mod target;
mod tcp;
mod tunnel;

use std::sync::Arc;

use anyhow::Context as _;
use headroom_shared::runtime::truncated::logged;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use hyper::body::Incoming;
use url::Url;

pub(crate) use self::base_url::base_url;
use self::config::Upstreams;
use self::connection::{Connection, SendFailed};
use self::connector::Connector;
use self::custom_pools::CustomPools;
use self::pool::Pool;
pub(crate) use self::reach::{Reached, reach};
use self::request::request;
pub(crate) use self::request_body::RequestBody;
pub(crate) use self::response_body::ResponseBody;
use self::tcp::BoxError;
use crate::dialect::{Endpoint, Provider};
use crate::upstream::allowed::{AllowedUpstreams, NotAllowed};

/// How the paths of a `ChatGPT` login begin.
const CHATGPT_PATHS: &str = "/backend-api/";

/// The providers' APIs, and the custom upstreams that requests name.
#[derive(Debug)]
pub(crate) struct Upstream {
    anthropic: Api,
    openai: Api,
    /// Where requests of a `ChatGPT` login go, unless `OpenAI`'s base URL was set.
    chatgpt: Option<Api>,
    allowed: AllowedUpstreams,
    custom: CustomPools,
}

/// The upstream that a request goes to.
#[derive(Debug)]
pub(crate) enum Destination {
    /// To a provider, where the settings say.
    Provider(Provider),
    /// To the custom base URL that the request names.
    Custom(Url),
}

/// What a request asks for.
#[derive(Debug, Clone)]
pub(crate) struct RequestLine<'a> {
    pub(crate) method: Method,
    pub(crate) path: &'a PathAndQuery,
    /// The dialect's endpoint that the path leads to, if there is one.
    pub(crate) endpoint: Option<Endpoint>,
}

/// One provider's API.
#[derive(Debug)]
struct Api {
    base: Url,
    host: HeaderValue,
    pool: Arc<Pool>,
}

/// Why a request got no response from its provider.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpstreamError {
    /// The request's target is nothing that can be asked of the provider.
    #[error("{0:?} is not a path that can be forwarded")]
    Target(String),
    /// No connection, or no response on it.
    #[error("{host} did not answer: {cause:#}")]
    Failed {
        /// The provider's host.
        host: String,
        /// What went wrong, with all its causes.
        cause: anyhow::Error,
    },
}

impl Upstream {
    /// Reads the certificates that this system trusts (where it has none, Mozilla's list is built in) and makes no connection
    /// yet.
    ///
    /// # Errors
    /// When a base URL names no host that a request can be sent to, or is to be reached through a proxy that can't be used.
    pub(crate) fn new(settings: &Upstreams) -> anyhow::Result<Self> {
        let connector = connector::connector(settings.proxies.clone());
        let chatgpt = settings.chatgpt()?;
        let own = [&settings.anthropic, &settings.openai];
        for base in own.into_iter().chain(&chatgpt) {
            settings.proxies.of(&origin(base)?)?;
        }
        let api = |base: &Url| Api::new(base, connector.clone());
        Ok(Self {
            anthropic: api(&settings.anthropic)?,
            openai: api(&settings.openai)?,
            chatgpt: chatgpt.as_ref().map(api).transpose()?,
            allowed: settings.allowed.clone(),
            custom: CustomPools::new(connector.clone()),
        })
    }

    /// The base URLs of Anthropic's and of `OpenAI`'s API.
    pub(crate) fn bases(&self) -> [&Url; 2] {
        [&self.anthropic.base, &self.openai.base]
    }

    /// The upstream that a request with these headers goes to whose path is `provider`'s.
    ///
    /// # Errors
    /// When it names an upstream that is not allowed, or a credential of it is another provider's.
    pub(crate) fn destination(
        &self,
        provider: Provider,
        headers: &HeaderMap,
    ) -> Result<Destination, NotAllowed> {
        if let Some(custom) = self.allowed.named(headers)? {
            return Ok(Destination::Custom(custom));
        }
        if Provider::has_several_credentials(headers) {
            return Err(NotAllowed::SeveralCredentials);
        }
        match Provider::of_credential(headers) {
            Some(of_credential) if of_credential != provider => Err(NotAllowed::OtherProvider {
                of_credential,
                of_path: provider,
            }),
            _ => Ok(Destination::Provider(provider)),
        }
    }

    /// Sends a request to `destination`. Dropping the future cancels the request.
    ///
    /// # Errors
    /// When there is no connection, or no response on it.
    pub(crate) async fn send(
        &self,
        destination: &Destination,
        asked: RequestLine<'_>,
        headers: HeaderMap,
        body: RequestBody,
    ) -> Result<Response<ResponseBody>, UpstreamError> {
        let custom;
        let api = match destination {
            Destination::Provider(provider) => self.api(*provider, asked.path.path()),
            Destination::Custom(base) => {
                let api = origin(base).and_then(|origin| Api::over(base, self.custom.of(origin)));
                custom =
                    api.map_err(|_| UpstreamError::Target(logged(base.as_str()).to_owned()))?;
                &custom
            }
        };
        let target = target::target(api.base.path(), &asked)
            .ok_or_else(|| UpstreamError::Target(logged(asked.path.path()).to_owned()))?;
        let request = request((asked.method, target), &api.host, headers, body);
        let response = api.send(request).await;
        response.map_err(|error| UpstreamError::Failed {
            host: api.base.authority().to_owned(),
            cause: anyhow::Error::from_boxed(error),
        })
    }

    /// Closes connections that no request needs any more, for as long as it runs.
    pub(crate) async fn sweep(&self) {
        loop {
            tokio::time::sleep(settings::SWEEP_INTERVAL).await;
            let chatgpt = self.chatgpt.iter();
            for api in chatgpt.chain([&self.anthropic, &self.openai]) {
                api.pool.sweep();
            }
            self.custom.sweep();
        }
    }

    fn api(&self, provider: Provider, path: &str) -> &Api {
        match (provider, &self.chatgpt) {
            (Provider::Anthropic, _) => &self.anthropic,
            (Provider::OpenAi, Some(chatgpt)) if path.starts_with(CHATGPT_PATHS) => chatgpt,
            (Provider::OpenAi, _) => &self.openai,
        }
    }
}

impl Api {
    fn new(base: &Url, connector: Connector) -> anyhow::Result<Self> {
        Self::over(base, Arc::new(Pool::new(connector, origin(base)?)))
    }

    fn over(base: &Url, pool: Arc<Pool>) -> anyhow::Result<Self> {
        Ok(Self {
            base: base.clone(),
            host: HeaderValue::from_str(base.authority())?,
            pool,
        })
    }

    /// Sends a request over a connection that is warm, or else a new one. A warm connection may have been closed at the other end just
    /// now: the request is sent over a new one if no byte of it was written. If any was, the provider may have read all of it and
    /// worked on it, and would bill it twice.
    async fn send(
        &self,
        mut request: Request<RequestBody>,
    ) -> Result<Response<ResponseBody>, BoxError> {
        if let Some(mut connection) = self.pool.take() {
            match connection.send(request).await {
                Ok(response) => return Ok(self.response(response, connection)),
                Err(SendFailed { error, unsent }) => request = *unsent.ok_or(error)?,
            }
            tracing::debug!("a warm connection was closed: the request goes over a new one");
        }
        // In a box: it is rare, and its state larger than that of all the rest.
        let mut connection = Box::pin(self.pool.connect()).await?;
        let response = connection.send(request).await;
        let response = response.map_err(|failed| failed.error)?;
        Ok(self.response(response, connection))
    }

    /// The response whose body `connection` reads.
    fn response(
        &self,
        response: Response<Incoming>,
        mut connection: Connection,
    ) -> Response<ResponseBody> {
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            connection.release();
        }
        response.map(|body| ResponseBody::new(body, connection, self.pool.clone()))
    }
}

/// Scheme and authority of a base URL.
fn origin(base: &Url) -> anyhow::Result<Uri> {
    let origin = format!("{}://{}/", base.scheme(), base.authority());
    origin
        .parse()
        .with_context(|| format!("no requests can be sent to {base}"))
}
