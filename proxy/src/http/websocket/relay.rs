//! Joins the two connections of a WebSocket until both have ended, one of them breaks, or the proxy stops.

use std::io;

use futures_util::future::{Either, select};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, split};

use super::requests::Requests;
use super::responses::Events;
use crate::http::settings;

/// Passes bytes both ways, with forms in what is read of them as `requests`.
pub(super) async fn join(
    client: OnUpgrade,
    provider: OnUpgrade,
    requests: Option<Requests>,
) -> io::Result<()> {
    let (client, provider) = tokio::try_join!(client, provider).map_err(io::Error::other)?;
    let (from_client, to_client) = split(TokioIo::new(client));
    let (from_provider, to_provider) = split(TokioIo::new(provider));
    match &requests {
        None => {
            both(
                copy(from_client, to_provider),
                copy(from_provider, to_client),
            )
            .await
        }
        Some(requests) => {
            let dialect = requests.endpoint.dialect;
            let events = Events::new(dialect, requests.types, &requests.responses);
            let up = requests.pass_on(from_client, to_provider);
            both(up, events.pass_on(from_provider, to_client)).await
        }
    }
}

/// Waits for both directions. The end of one side is passed to the other, which may still send the rest of its own.
async fn both(
    up: impl Future<Output = io::Result<()>>,
    down: impl Future<Output = io::Result<()>>,
) -> io::Result<()> {
    match select(std::pin::pin!(up), std::pin::pin!(down)).await {
        Either::Left((ended, down)) => {
            ended?;
            tokio::time::timeout(settings::HALF_CLOSED_TIMEOUT, down).await?
        }
        Either::Right((ended, up)) => {
            ended?;
            tokio::time::timeout(settings::HALF_CLOSED_TIMEOUT, up).await?
        }
    }
}

/// Copies bytes one way until their end, and passes the end on.
async fn copy(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
    tokio::io::copy(&mut from, &mut to).await?;
    to.shutdown().await
}
