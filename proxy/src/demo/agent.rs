//! The agent's side: sends requests over a socket and times the answers.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;

use super::job::Job;

/// A client that keeps its connections.
#[derive(Debug)]
pub(super) struct Agent {
    client: Client<HttpConnector, Full<Bytes>>,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    /// From the request's first byte to the answer's.
    pub(super) first_byte: Duration,
    /// What the proxy says it did; empty without a proxy.
    pub(super) decision: String,
}

impl Agent {
    pub(super) fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Self { client }
    }

    /// Sends a turn, and reads the answer to its end.
    pub(super) async fn send(&self, to: SocketAddr, body: &Bytes) -> anyhow::Result<Answer> {
        let request = Request::post(format!("http://{to}/v1/messages"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body.clone()))?;
        let sent = Instant::now();
        let response = self.ask(request).await?;
        let first_byte = sent.elapsed();
        let decision = response.headers().get("x-headroom-decision");
        let decision = decision.and_then(|value| value.to_str().ok());
        let decision = decision.unwrap_or_default().to_owned();
        response.into_body().collect().await?;
        Ok(Answer {
            first_byte,
            decision,
        })
    }

    /// What has become of the job.
    pub(super) async fn job(&self, proxy: SocketAddr) -> anyhow::Result<Job> {
        let request = Request::builder()
            .method(Method::GET)
            .uri(format!("http://{proxy}/stats"))
            .body(Full::default())?;
        let stats = self.ask(request).await?.into_body().collect().await?;
        Ok(Job::of(&serde_json::from_slice(&stats.to_bytes())?))
    }

    async fn ask(&self, request: Request<Full<Bytes>>) -> anyhow::Result<Response<Incoming>> {
        let uri = request.uri().clone();
        let response = self.client.request(request).await;
        let response = response.with_context(|| format!("no answer from {uri}"))?;
        let status = response.status();
        ensure!(status.is_success(), "{uri} answered {status}");
        Ok(response)
    }
}
