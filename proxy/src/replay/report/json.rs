//! A replay as JSON.

use serde_json::{Value, json};

use super::Report;
use crate::replay::policy::Policy;
use crate::replay::session::Outcome;

/// The report as one JSON document; money in dollars of input.
pub(crate) fn json(report: &Report) -> Value {
    let session = |outcome: &Outcome| {
        json!({
            "id": outcome.id, "client": outcome.client, "model": outcome.model, "price_is_guess": outcome.is_guess,
            "turns": outcome.requests(),
            "direct_usd": outcome.usd(Policy::Direct), "headroom_usd": outcome.usd(Policy::Headroom), "bound_usd": outcome.usd(Policy::Bound),
        })
    };
    let policy = |policy: &Policy| json!({"name": policy.name(), "usd": report.usd(*policy), "worst_ratio": report.worst_ratio(*policy)});
    let sources = report.sources.usd.iter().map(|(source, usd)| {
        json!({"tool": source.tool, "kind": source.kind, "use": source.used.name(), "usd": usd})
    });
    let tools = report.sources.tokens.iter().map(|(tool, tokens)| {
        json!({"tool": tool, "tokens": tokens.original, "tokens_saved": tokens.saved})
    });
    let files = report.skipped.files.iter();
    let files =
        files.map(|(file, reason)| json!({"file": file.display().to_string(), "reason": reason}));
    json!({
        "total": {
            "direct_usd": report.usd(Policy::Direct), "headroom_usd": report.usd(Policy::Headroom), "bound_usd": report.usd(Policy::Bound),
        },
        "sessions": report.sessions.iter().map(session).collect::<Vec<_>>(),
        "policies": report.policies.iter().map(policy).collect::<Vec<_>>(),
        "sources": sources.collect::<Vec<_>>(),
        "tools": tools.collect::<Vec<_>>(),
        "originals": report.sources.skipped, "landings": report.sources.landings,
        "skipped": {"files": files.collect::<Vec<_>>(), "lines": report.skipped.lines},
    })
}
