//! A collector of traces: takes them by OTLP over HTTP, as protobuf, and keeps their spans.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// A span as the collector got it.
#[derive(Debug, Clone)]
pub struct Span {
    /// The service that sent it.
    pub service: String,
    /// Its name.
    pub name: String,
    /// Its trace, in hexadecimal.
    pub trace: String,
    /// Its own id, in hexadecimal.
    pub id: String,
    /// Its parent's id, in hexadecimal; empty for the first of a trace.
    pub parent: String,
    /// What it says, each value as text.
    pub attributes: Vec<(String, String)>,
    /// The ids of the spans that it refers to.
    pub links: Vec<String>,
}

impl Span {
    /// What it says under this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut said = self.attributes.iter();
        said.find_map(|(it, value)| (it == name).then_some(value.as_str()))
    }
}

/// What a collector has got.
#[derive(Debug, Default)]
struct Got {
    spans: Vec<Span>,
    /// The value of the header `x-test` of each request.
    headers: Vec<String>,
}

/// A collector.
#[derive(Debug)]
pub struct Collector {
    url: String,
    got: Arc<Mutex<Got>>,
    _tasks: JoinSet<()>,
}

impl Collector {
    /// Starts one on a free port.
    ///
    /// # Panics
    /// When it can't listen.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let got = Arc::<Mutex<Got>>::default();
        let mut tasks = JoinSet::new();
        let shared = Arc::clone(&got);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let got = Arc::clone(&shared);
                let service = service_fn(move |request| take(request, Arc::clone(&got)));
                connections.spawn(async move {
                    let served =
                        http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                    let _ = served.await;
                });
            }
        });
        Self {
            url,
            got,
            _tasks: tasks,
        }
    }

    /// Where it is, as `OTEL_EXPORTER_OTLP_ENDPOINT` names it.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The spans that it has got so far.
    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        let got = self.got.lock().unwrap_or_else(PoisonError::into_inner);
        got.spans.clone()
    }

    /// The values of the header `x-test` that it has got so far.
    #[must_use]
    pub fn headers(&self) -> Vec<String> {
        let got = self.got.lock().unwrap_or_else(PoisonError::into_inner);
        got.headers.clone()
    }
}

async fn take(
    request: Request<Incoming>,
    got: Arc<Mutex<Got>>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let is_known = request.uri().path() == "/v1/traces";
    let header = request.headers().get("x-test").cloned();
    let body = request.into_body().collect().await?.to_bytes();
    let mut response = Response::new(Full::new(Bytes::new()));
    let Ok(traces) = ExportTraceServiceRequest::decode(body) else {
        *response.status_mut() = StatusCode::BAD_REQUEST;
        return Ok(response);
    };
    if !is_known {
        *response.status_mut() = StatusCode::NOT_FOUND;
        return Ok(response);
    }
    let mut got = got.lock().unwrap_or_else(PoisonError::into_inner);
    got.spans.extend(spans(traces));
    let header = header.and_then(|it| it.to_str().ok().map(str::to_owned));
    got.headers.push(header.unwrap_or_default());
    Ok(response)
}

fn spans(traces: ExportTraceServiceRequest) -> Vec<Span> {
    let mut spans = Vec::new();
    for of_service in traces.resource_spans {
        let resource = of_service.resource.unwrap_or_default();
        let resource = said(resource.attributes);
        let service = resource.iter().find(|(name, _)| name == "service.name");
        let service = service.map_or_else(String::new, |(_, value)| value.clone());
        let of_scopes = of_service.scope_spans.into_iter();
        spans.extend(of_scopes.flat_map(|it| it.spans).map(|span| Span {
            service: service.clone(),
            name: span.name,
            trace: hex(&span.trace_id),
            id: hex(&span.span_id),
            parent: hex(&span.parent_span_id),
            attributes: said(span.attributes),
            links: span.links.iter().map(|it| hex(&it.span_id)).collect(),
        }));
    }
    spans
}

fn said(attributes: Vec<KeyValue>) -> Vec<(String, String)> {
    let text = |value: Option<AnyValue>| match value.and_then(|it| it.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(yes)) => yes.to_string(),
        other => format!("{other:?}"),
    };
    let attributes = attributes.into_iter();
    attributes.map(|it| (it.key, text(it.value))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
