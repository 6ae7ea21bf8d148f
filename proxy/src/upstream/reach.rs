//! Whether the providers can be reached: connections are made as for requests, and nothing is sent over them.

use futures_util::future::join_all;
use url::Url;

use super::config::Upstreams;
use super::connector::{self, Connector};
use super::proxies;

/// One provider's API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reached {
    pub(crate) base: Url,
    /// Host and port of the HTTP proxy on the way, if one is configured for it.
    pub(crate) through: Option<String>,
    /// Why there is no connection, with all causes.
    pub(crate) failed: Option<String>,
}

/// Connects to each base URL, at once: TCP, TLS where it says so, and through the proxies that are named for it.
pub(crate) async fn reach(settings: &Upstreams) -> Vec<Reached> {
    let connector = connector::connector(settings.proxies.clone());
    let chatgpt = settings.chatgpt().ok().flatten();
    let bases = [&settings.anthropic, &settings.openai].into_iter();
    let bases = bases.chain(&chatgpt);
    join_all(bases.map(|base| one(settings, &connector, base))).await
}

async fn one(settings: &Upstreams, connector: &Connector, base: &Url) -> Reached {
    let mut reached = Reached {
        base: base.clone(),
        through: None,
        failed: None,
    };
    let connected = async {
        let origin = super::origin(base)?;
        let proxy = settings.proxies.of(&origin)?;
        reached.through = proxy.as_ref().map(proxies::name);
        connector::connect(connector, &origin)
            .await
            .map_err(anyhow::Error::from_boxed)
    };
    if let Err(error) = connected.await {
        reached.failed = Some(format!("{error:#}"));
    }
    reached
}
