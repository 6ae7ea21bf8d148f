//! Traces as OpenTelemetry has them: the spans of requests and jobs, sent to a collector over OTLP. They are off without an endpoint, and cost
//! nothing then.
//!
//! Spans hold names, sizes and outcomes: no keys, and no text of requests.

mod export;
mod parent;

use std::sync::OnceLock;
use std::time::Duration;

/// What a span is to the outside.
pub use opentelemetry::trace::SpanKind as Kind;
use opentelemetry::trace::{Span as _, Status, Tracer as _, TracerProvider as _};
use opentelemetry::{KeyValue, Value};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

pub use self::parent::SpanParent;

/// How long the end of a process may wait until the collector has the last spans.
const FLUSH_TIME: Duration = Duration::from_secs(2);

/// What makes spans, once traces were started.
static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// The traces of a process. What was not sent yet is sent when this is dropped.
#[derive(Debug)]
#[must_use = "dropping it ends the traces"]
pub struct Traces(Option<SdkTracerProvider>);

impl Traces {
    /// Starts them, if the variables of OpenTelemetry name an endpoint: `OTEL_EXPORTER_OTLP_ENDPOINT` or
    /// `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`. `program` is the service's name, unless they say another. What they say wrong is logged, and there
    /// are no traces then.
    pub fn start(program: &'static str, version: &'static str) -> Self {
        if !export::is_asked_for(|name| std::env::var(name).ok()) {
            return Self(None);
        }
        match export::provider(program, version) {
            Ok(provider) => {
                let _ = TRACER.set(provider.tracer("headroom"));
                tracing::info!(
                    "traces are sent as OTEL_EXPORTER_OTLP_ENDPOINT and the other variables say"
                );
                Self(Some(provider))
            }
            Err(error) => {
                tracing::error!(%error, "no traces: see the variables that begin with OTEL_EXPORTER_OTLP_");
                Self(None)
            }
        }
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        if let Some(provider) = &self.0 {
            // Whether the collector takes them is logged by the exporter.
            let _ = provider.shutdown_with_timeout(FLUSH_TIME);
        }
    }
}

/// A span. It ends when it is dropped. Where there are no traces, it is nothing.
#[derive(Debug, Default)]
pub struct Span(Option<Box<opentelemetry_sdk::trace::Span>>);

impl Span {
    /// Begins a span below this parent; where that is none, it begins a trace.
    #[must_use]
    pub fn begin(name: &'static str, kind: Kind, parent: &SpanParent) -> Self {
        let Some(tracer) = TRACER.get() else {
            return Self(None);
        };
        let builder = tracer.span_builder(name).with_kind(kind);
        Self(Some(Box::new(
            tracer.build_with_context(builder, &parent.context()),
        )))
    }

    /// Whether anybody will see it.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        self.0.as_ref().is_some_and(|span| span.is_recording())
    }

    /// Says something of it. `value` may be no key and no text of a request.
    pub fn set(&mut self, name: &'static str, value: impl Into<Value>) {
        if let Some(span) = &mut self.0 {
            span.set_attribute(KeyValue::new(name, value));
        }
    }

    /// Says that it failed, and why.
    pub fn fail(&mut self, why: &'static str) {
        if let Some(span) = &mut self.0 {
            span.set_status(Status::error(why));
        }
    }

    /// Refers to a span of another trace, or to one that this one does not come from.
    pub fn link(&mut self, other: &SpanParent) {
        if let (Some(span), Some(other)) = (&mut self.0, other.span()) {
            span.add_link(other.clone(), Vec::new());
        }
    }

    /// What spans below it begin with.
    #[must_use]
    pub fn as_parent(&self) -> SpanParent {
        let span = self.0.as_ref();
        span.map_or_else(SpanParent::default, |span| {
            span.span_context().clone().into()
        })
    }
}
