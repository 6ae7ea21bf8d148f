//! A span that others come from, in this program or another: the header `traceparent` of W3C Trace Context.

use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{SpanContext, TraceContextExt as _};
use opentelemetry_sdk::propagation::TraceContextPropagator;

use super::TRACER;

const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";

/// A span that others come from, or none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SpanParent(Option<SpanContext>);

impl From<SpanContext> for SpanParent {
    fn from(span: SpanContext) -> Self {
        Self(Some(span).filter(SpanContext::is_valid))
    }
}

/// The two headers.
struct Headers<'a> {
    traceparent: &'a str,
    tracestate: Option<&'a str>,
}

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            TRACEPARENT => Some(self.traceparent),
            TRACESTATE => self.tracestate,
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT, TRACESTATE]
    }
}

impl SpanParent {
    /// The span that these headers name; none where there are no traces, or what they say is not valid.
    #[must_use]
    pub fn of_headers(traceparent: Option<&str>, tracestate: Option<&str>) -> Self {
        match traceparent {
            Some(traceparent) if TRACER.get().is_some() => Self::parse(traceparent, tracestate),
            _ => Self::default(),
        }
    }

    fn parse(traceparent: &str, tracestate: Option<&str>) -> Self {
        let headers = Headers {
            traceparent,
            tracestate,
        };
        let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &headers);
        context.span().span_context().clone().into()
    }

    /// It as a header `traceparent`, for a program that goes on with its trace.
    #[must_use]
    pub fn traceparent(&self) -> Option<String> {
        let span = self.0.as_ref()?;
        let (trace, id, flags) = (span.trace_id(), span.span_id(), span.trace_flags());
        Some(format!("00-{trace}-{id}-{:02x}", flags.to_u8()))
    }

    pub(super) const fn span(&self) -> Option<&SpanContext> {
        self.0.as_ref()
    }

    /// It as the library wants it.
    pub(super) fn context(&self) -> Context {
        let context = Context::new();
        match &self.0 {
            Some(span) => context.with_remote_span_context(span.clone()),
            None => context,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_survives() {
        let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let parent = SpanParent::parse(traceparent, Some("vendor=1"));
        assert_eq!(parent.traceparent().as_deref(), Some(traceparent));
        for wrong in [
            "",
            "00-0-0-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "x",
        ] {
            assert_eq!(SpanParent::parse(wrong, None), SpanParent::default());
        }
        assert_eq!(
            SpanParent::of_headers(Some(traceparent), None),
            SpanParent::default(),
            "there are no traces here"
        );
    }
}
