//! A proxy that runs, on this machine or another: what it is and what it has counted, and where the one listens that has a data folder
//! open.

#[cfg(unix)]
mod owner;
mod published;
mod stats;

use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use url::Url;

use crate::page_token::TOKEN_HEADER;

#[cfg(unix)]
pub(crate) use self::owner::is_of_another_user;
pub(crate) use self::published::{Published, published_in, published_with_token, reachable};
pub(crate) use self::stats::{About, Cost, Stats};

/// How long a proxy may take to say what it has counted: it asks its queue for a second at most.
const TIMEOUT: Duration = Duration::from_secs(3);
/// No answer of ours is larger, in bytes.
const MAX_ANSWER: usize = 1 << 20;

/// What the proxy at this base URL is and has counted.
///
/// # Errors
/// When nobody answers there, or somebody who is no such proxy.
pub(crate) async fn stats(base: &Url) -> anyhow::Result<Stats> {
    let asked = tokio::time::timeout(TIMEOUT, ask(base, Method::GET, "/stats", None));
    let (status, answer) = asked.await.context("no answer within 3 s")??;
    if status != StatusCode::OK {
        bail!("{status} in answer to /stats of {base}");
    }
    serde_json::from_slice(&answer).context("its answer is not that of a headroom-proxy")
}

/// A base URL as people write it.
pub(crate) fn shown(base: &Url) -> &str {
    base.as_str().trim_end_matches('/')
}

/// What the proxy at this base URL answers at this path, with its token where one is given.
///
/// # Errors
/// When nobody answers there, or the answer is too long.
pub(crate) async fn ask(
    base: &Url,
    method: Method,
    path: &str,
    token: Option<&str>,
) -> anyhow::Result<(StatusCode, Bytes)> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let url = format!("{}{path}", shown(base));
    let mut request = Request::builder().method(method).uri(url);
    if let Some(token) = token {
        request = request.header(TOKEN_HEADER, token);
    }
    let response = client.request(request.body(Empty::new())?).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), MAX_ANSWER);
    let whole = body.collect().await.map_err(anyhow::Error::from_boxed)?;
    Ok((status, whole.to_bytes()))
}
