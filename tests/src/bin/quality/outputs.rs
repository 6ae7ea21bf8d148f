//! Each tool output by itself, by kind.

use std::hint::black_box;
use std::time::Duration;

use anyhow::ensure;
use headroom_shared::compress::Earlier;
use headroom_shared::contract::tier::Tier;

use crate::corpus::Output;
use crate::tally::{Exactness, Speed, Tokens, cpu_time, prepared};

/// What came out for the outputs of one kind.
#[derive(Debug)]
pub(crate) struct KindResult {
    pub(crate) kind: String,
    pub(crate) tokens: Tokens,
    pub(crate) exactness: Exactness,
    pub(crate) speed: Speed,
}

/// Compresses outputs, which stand in the order of their kinds.
///
/// # Errors
/// When a form does not give its output back.
pub(crate) fn measure(
    outputs: &[Output],
    tier: Tier,
    rounds: u32,
) -> anyhow::Result<Vec<KindResult>> {
    let kinds = outputs.chunk_by(|a, b| a.kind == b.kind);
    kinds
        .map(|outputs| measure_kind(outputs, tier, rounds))
        .collect()
}

fn measure_kind(outputs: &[Output], tier: Tier, rounds: u32) -> anyhow::Result<KindResult> {
    let kind = outputs[0].kind.clone();
    let earlier = Earlier::default();
    let (mut tokens, mut exactness) = (Tokens::default(), Exactness::default());
    for output in outputs {
        let form = prepared(output.source(), tier).compress(&earlier).ok();
        tokens += Tokens::of(&output.text, form.as_deref());
        exactness += Exactness::of((output.source(), tier), form.as_deref(), &earlier);
    }
    ensure!(
        exactness.is_whole(),
        "a form of kind {kind} does not give its output back"
    );
    let time = (0..rounds).map(|_| time(outputs, tier)).min();
    Ok(KindResult {
        kind,
        tokens,
        exactness,
        speed: Speed {
            bytes: outputs.iter().map(|output| output.text.len()).sum(),
            time: time.unwrap_or_default(),
        },
    })
}

fn time(outputs: &[Output], tier: Tier) -> Duration {
    let (began, earlier) = (cpu_time(), Earlier::default());
    for output in outputs {
        let _ = black_box(prepared(black_box(output.source()), tier).compress(&earlier));
    }
    cpu_time().saturating_sub(began)
}
