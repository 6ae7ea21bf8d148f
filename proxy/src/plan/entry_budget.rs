//! How long a request may wait while its new blocks are compressed, and then until their forms are stored.

use std::time::Duration;

/// New text for which the budget grows by [`STEP`], in bytes.
const STEP_BYTES: usize = 64 << 10;
/// What it grows by: a compressor takes less for as much text (`docs/benchmarks.md`).
const STEP: Duration = Duration::from_millis(2);
/// It grows no further than to this.
const LARGEST: Duration = Duration::from_millis(150);

/// The budget for so many bytes of new text: `base`, and more for much text, because one request with large files decides what a whole
/// session costs. No time at all stays none, and a longer base than the largest budget stays as it is.
pub(crate) fn entry_budget(base: Duration, new_bytes: usize) -> Duration {
    if base.is_zero() {
        return base;
    }
    let steps = u32::try_from(new_bytes / STEP_BYTES).unwrap_or(u32::MAX);
    let grown = base.saturating_add(STEP.saturating_mul(steps));
    grown.min(LARGEST.max(base))
}

/// What the store may take in addition of an entry budget of which so much is left.
pub(crate) fn left_for_store(left: Duration) -> Duration {
    left.min(LARGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_grows_with_the_text_up_to_a_bound() {
        for (base, new_bytes, budget) in [
            (20, 0, 20),
            (20, STEP_BYTES - 1, 20),
            (20, STEP_BYTES, 22),
            (20, 10 * STEP_BYTES, 40),
            (20, 64 << 20, 150),
            (20, usize::MAX, 150),
            (2000, 64 << 20, 2000),
            (0, 64 << 20, 0),
        ] {
            let of = entry_budget(Duration::from_millis(base), new_bytes);
            assert_eq!(of, Duration::from_millis(budget), "{base} {new_bytes}");
        }
    }
}
