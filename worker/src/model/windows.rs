//! Cuts a long row of tokens into windows that overlap, so that each token is looked at with its neighbours.

use std::ops::Range;

/// A window of the tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Window {
    /// The tokens that the model reads.
    pub(super) tokens: Range<usize>,
    /// Those of them whose scores count: in an overlap the half that is farther from this window's edge.
    pub(super) scored: Range<usize>,
}

/// The windows over `count` tokens, `size` in each, with a quarter of their size in common. The scored tokens of all are all tokens, once each.
pub(super) fn windows(count: usize, size: usize) -> impl Iterator<Item = Window> {
    let size = size.max(1);
    let stride = (size - size / 4).max(1);
    let last = count.saturating_sub(size);
    let window = move |index: usize| {
        let start = (index * stride).min(last);
        start..(start + size).min(count)
    };
    let windows = if count == 0 {
        0
    } else {
        last.div_ceil(stride) + 1
    };
    (0..windows).map(move |index| {
        let tokens = window(index);
        let before = index.checked_sub(1).map(window);
        let after = (index + 1 < windows).then(|| window(index + 1));
        // The middle of an overlap.
        let start = before.map_or(0, |before| usize::midpoint(tokens.start, before.end));
        let end = after.map_or(count, |after| usize::midpoint(after.start, tokens.end));
        Window {
            tokens,
            scored: start..end,
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn few_tokens_are_one_window() {
        let all: Vec<Window> = windows(8, 8).collect();
        let (tokens, scored) = (0..8, 0..8);
        assert_eq!(all, [Window { tokens, scored }]);
        assert_eq!(windows(0, 8).count(), 0);
    }

    #[test]
    fn the_overlap_is_split_in_the_middle() {
        let all: Vec<_> = windows(21, 8).map(|it| (it.tokens, it.scored)).collect();
        assert_eq!(
            all,
            [
                (0..8, 0..7),
                (6..14, 7..13),
                (12..20, 13..16),
                (13..21, 16..21)
            ]
        );
    }

    proptest! {
        #[test]
        fn each_token_is_scored_once_where_it_is_farthest_from_an_edge(count in 0..3000_usize, size in 1..600_usize) {
            let all: Vec<Window> = windows(count, size).collect();
            let scored: Vec<usize> = all.iter().flat_map(|it| it.scored.clone()).collect();
            prop_assert_eq!(scored, (0..count).collect::<Vec<_>>());
            for window in &all {
                prop_assert_eq!(window.tokens.len(), size.min(count));
                prop_assert!(window.tokens.start <= window.scored.start && window.scored.end <= window.tokens.end);
                let margin = if size >= 16 { size / 8 } else { 0 };
                prop_assert!(window.scored.is_empty() || window.tokens.start == 0 || window.scored.start >= window.tokens.start + margin);
                prop_assert!(window.scored.is_empty() || window.tokens.end == count || window.scored.end + margin <= window.tokens.end);
            }
        }
    }
}
