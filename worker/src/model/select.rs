//! Decides which words of a text stay, and writes the text without the others.

use super::words::{Word, lines};

/// How much is left out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Limits {
    /// The score from which on a word stays, 0 to 1.
    pub(super) threshold: f64,
    /// The part of all words that stays at least, 0 to 1.
    pub(super) keep_rate: f64,
}

/// Which words stay: those that are protected, that have no score or at least the threshold, and as many others, those with the highest scores
/// first, as the smallest part takes.
pub(super) fn stay(words: &[Word], scores: &[Option<f32>], limits: Limits) -> Vec<bool> {
    let scores = scores.iter().copied().chain(std::iter::repeat(None));
    let mut stay = Vec::with_capacity(words.len());
    let mut others = Vec::new();
    for ((index, word), score) in words.iter().enumerate().zip(scores) {
        let score =
            score.filter(|score| !word.is_protected && f64::from(*score) < limits.threshold);
        stay.push(score.is_none());
        others.extend(score.map(|score| (index, score)));
    }
    let missing =
        at_least(words.len(), limits.keep_rate).saturating_sub(words.len() - others.len());
    // The sort is stable: of equal scores the first stays.
    others.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    for (index, _) in others.into_iter().take(missing) {
        if let Some(stays) = stay.get_mut(index) {
            *stays = true;
        }
    }
    stay
}

/// How many of so many words this part is, rounded up.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a text has fewer than 2^52 words, and a part is not negative"
)]
fn at_least(words: usize, part: f64) -> usize {
    (words as f64 * part).ceil() as usize
}

/// The text of the words that stay, on the lines on which they stood, each with the white space before it; the first one of a line with the
/// line's indentation. Nothing where all stay.
pub(super) fn text_of(text: &str, words: &[Word], stay: &[bool]) -> Option<String> {
    if stay.iter().all(|stays| *stays) {
        return None;
    }
    let mut shorter = String::with_capacity(text.len());
    let mut words = words.iter().zip(stay).peekable();
    for line in lines(text) {
        let mut at = line.start;
        let mut indentation = None;
        let mut is_empty = true;
        while let Some((word, stays)) = words.next_if(|(word, _)| word.range.end <= line.end) {
            let space = &text[at..word.range.start];
            let indentation = *indentation.get_or_insert(space);
            if *stays {
                shorter.push_str(if is_empty { indentation } else { space });
                shorter.push_str(&text[word.range.clone()]);
                is_empty = false;
            }
            at = word.range.end;
        }
        shorter.push_str(&text[at..line.end]);
    }
    Some(shorter)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::words::words;
    use super::*;

    const HALF: Limits = Limits {
        threshold: 0.5,
        keep_rate: 0.0,
    };

    /// The text without the words that score less, where each word's score is a tenth of its number of characters.
    fn without_short_words(text: &str, limits: Limits) -> Option<String> {
        let words = words(text);
        let score = |word: &Word| Some(word.range.len() as f32 / 10.0);
        let scores: Vec<_> = words.iter().map(score).collect();
        text_of(text, &words, &stay(&words, &scores, limits))
    }

    #[test]
    fn lines_and_their_indentation_stay() {
        let text = "  a large number of words\n\n\tof a\n\tof\ta  kettle\r\nto b ";
        assert_eq!(
            without_short_words(text, HALF).unwrap(),
            "  large number words\n\n\n\tkettle\r\n "
        );
    }

    #[test]
    fn a_text_of_which_all_stays_is_none() {
        for text in ["", "\n", "enough letters", "a [x] NOT b()"] {
            let shorter = without_short_words(text, HALF);
            assert_eq!(shorter.is_none(), !text.starts_with('a'), "{text}");
        }
    }

    #[test]
    fn the_best_words_fill_up_the_smallest_part() {
        let text = "a bb ccc dd eee";
        let kept = |keep_rate| {
            let limits = Limits {
                threshold: 0.9,
                keep_rate,
            };
            without_short_words(text, limits)
        };
        assert_eq!(kept(0.0).unwrap(), "");
        assert_eq!(kept(0.2).unwrap(), "ccc");
        assert_eq!(kept(0.4).unwrap(), "ccc eee");
        assert_eq!(kept(0.41).unwrap(), "bb ccc eee");
        assert_eq!(kept(1.0), None);
    }

    #[test]
    fn a_word_without_a_score_stays() {
        let text = "one two three";
        let words = words(text);
        let stay = stay(&words, &[Some(0.1), None], HALF);
        assert_eq!(stay, [false, true, true]);
    }

    fn piece() -> impl Strategy<Value = String> {
        prop_oneof![
            8 => "[a-z]{1,8}",
            4 => "[ \t]{1,3}",
            2 => Just("\n".to_owned()),
            1 => prop::sample::select(vec![
                "\r\n", "\r", "```", "~~~\n", "`", "\"", "'", "“", "not", "error:", "x_y", "fooBar", "42", "HTTP", "a.b", "\u{a0}", "é", "漢字", "\u{2028}",
            ]).prop_map(str::to_owned),
            1 => "\\PC{0,6}",
        ]
    }

    fn is_subsequence(some: &str, all: &str) -> bool {
        let mut all = all.split_whitespace();
        some.split_whitespace().all(|word| all.any(|it| it == word))
    }

    proptest! {
        #[test]
        fn lines_and_protected_words_stay(
            pieces in prop::collection::vec(piece(), 0..80),
            scores in prop::collection::vec(prop::option::of(0.0..1.0_f32), 0..80),
            threshold in 0.0..1.0_f64,
            keep_rate in 0.0..=1.0_f64,
        ) {
            let text = pieces.concat();
            let words = words(&text);
            let stay = stay(&words, &scores, Limits { threshold, keep_rate });
            let kept = stay.iter().filter(|stays| **stays).count();
            prop_assert!(kept as f64 >= words.len() as f64 * keep_rate);
            prop_assert!(words.iter().zip(&stay).all(|(word, stays)| *stays || !word.is_protected));
            let Some(shorter) = text_of(&text, &words, &stay) else {
                prop_assert!(stay.iter().all(|stays| *stays));
                return Ok(());
            };
            prop_assert!(shorter.len() < text.len());
            prop_assert_eq!(shorter.split_whitespace().count(), kept);
            let lines = |text: &str| -> Vec<String> {
                text.split(['\n', '\r']).map(str::to_owned).collect()
            };
            let (originals, shortened) = (lines(&text), lines(&shorter));
            prop_assert_eq!(originals.len(), shortened.len());
            let mut stay = words.iter().zip(stay);
            for (original, shortened) in originals.iter().zip(&shortened) {
                let of_line = stay.by_ref().take(original.split_whitespace().count());
                let held: Vec<&str> = of_line.filter(|it| it.1).map(|it| &text[it.0.range.clone()]).collect();
                prop_assert_eq!(shortened.split_whitespace().collect::<Vec<_>>(), held);
                prop_assert!(is_subsequence(shortened, original));
            }
        }
    }
}
