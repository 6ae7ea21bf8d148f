//! Sends spans to a collector: by OTLP over HTTP, from a thread of its own, which no request waits for. Its queue is bounded, and what has no
//! room in it is dropped.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use tokio::runtime::{Builder, Runtime};

/// How long the collector may take to take spans.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The variables that name the collector.
const ENDPOINTS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
];
/// Where the name of the service may be said.
const SERVICE_NAMES: [(&str, &str); 2] = [
    ("OTEL_SERVICE_NAME", ""),
    ("OTEL_RESOURCE_ATTRIBUTES", "service.name="),
];

/// Why there are no traces.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoTraces {
    #[error("{}", without_password(&.0.to_string()))]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    #[error("the system gives no runtime for them: {0}")]
    Runtime(#[from] std::io::Error),
}

/// An error, unless it shows an endpoint that holds a password.
fn without_password(error: &str) -> &str {
    if error.contains('@') {
        "the endpoint can't be used (it is not shown, because it holds a password)"
    } else {
        error
    }
}

/// Whether these variables ask for traces.
pub(super) fn is_asked_for(variable: impl Fn(&str) -> Option<String>) -> bool {
    let is = |name: &str, value: &str| {
        variable(name).is_some_and(|it| it.trim().eq_ignore_ascii_case(value))
    };
    let is_set = |name: &&str| variable(name).is_some_and(|it| !it.trim().is_empty());
    ENDPOINTS.iter().any(is_set)
        && !is("OTEL_SDK_DISABLED", "true")
        && !is("OTEL_TRACES_EXPORTER", "none")
}

/// What makes spans and sends them as the variables say.
pub(super) fn provider(
    program: &'static str,
    version: &'static str,
) -> Result<SdkTracerProvider, NoTraces> {
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_http_client(Client::new()?)
        .build()?;
    let mut resource = Resource::builder()
        .with_attribute(opentelemetry::KeyValue::new("service.version", version));
    let is_named = SERVICE_NAMES.iter().any(|(name, holds)| {
        std::env::var(name).is_ok_and(|it| !it.is_empty() && it.contains(holds))
    });
    if !is_named {
        resource = resource.with_service_name(program);
    }
    Ok(SdkTracerProvider::builder()
        .with_resource(resource.build())
        .with_batch_exporter(Reporting::new(exporter))
        .build())
}

/// The HTTP client, with a runtime that runs while it is asked: spans are sent from a thread that has none.
struct Client {
    runtime: Runtime,
    client: HyperClient<HttpsConnector<HttpConnector>>,
}

impl Client {
    fn new() -> Result<Self, NoTraces> {
        // By the certificates that this system trusts, or else Mozilla's.
        let builder = HttpsConnectorBuilder::new()
            .with_native_roots()
            .unwrap_or_else(|_| HttpsConnectorBuilder::new().with_webpki_roots());
        let connector = builder.https_or_http().enable_http1().build();
        Ok(Self {
            runtime: Builder::new_current_thread().enable_all().build()?,
            client: HyperClient::new(connector, TIMEOUT, None),
        })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        self.runtime.block_on(self.client.send_bytes(request))
    }
}

/// An exporter that logs once when the collector takes no spans, and once when it takes them again.
#[derive(Debug)]
struct Reporting<E> {
    exporter: E,
    is_failing: AtomicBool,
}

impl<E> Reporting<E> {
    const fn new(exporter: E) -> Self {
        Self {
            exporter,
            is_failing: AtomicBool::new(false),
        }
    }
}

impl<E: SpanExporter> SpanExporter for Reporting<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let exported = self.exporter.export(batch).await;
        let was_failing = self.is_failing.swap(exported.is_err(), Ordering::Relaxed);
        match &exported {
            Err(error) if !was_failing => {
                tracing::warn!(%error, "the collector does not take spans: they are dropped until it does");
            }
            Ok(()) if was_failing => tracing::info!("the collector takes spans again"),
            _ => {}
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_are_off_without_an_endpoint() {
        let asked = |variables: &[(&str, &str)]| {
            is_asked_for(|name| {
                let mut variables = variables.iter();
                let found = variables.find(|(it, _)| *it == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
        assert!(asked(&[endpoint]));
        assert!(asked(&[(
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "http://x/v1/traces"
        )]));
        assert!(!asked(&[]));
        assert!(!asked(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")]));
        assert!(!asked(&[("OTEL_SERVICE_NAME", "headroom")]));
        assert!(!asked(&[endpoint, ("OTEL_SDK_DISABLED", "TRUE")]));
        assert!(!asked(&[endpoint, ("OTEL_TRACES_EXPORTER", "none")]));
    }
}
