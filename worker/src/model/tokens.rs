//! Cuts words into the tokens of a model.

use std::path::Path;

use headroom_shared::compress::Deadline;
use tokenizers::Tokenizer;

use super::error::{ModelError, first_line};
use super::protect::MAX_WORD;
use super::words::Word;
use crate::shortener::ShortenError;

/// How much text is cut at once, in bytes: a tokenizer takes some fifty times as much memory.
const MAX_PIECE: usize = 16 << 10;

/// A token of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    id: u32,
    /// The index of the word that it is of; none for white space.
    pub(super) word: Option<usize>,
}

/// A model's tokenizer.
#[derive(Debug)]
pub(super) struct Tokens {
    tokenizer: Tokenizer,
    /// The special tokens before and after those of a text.
    before: Vec<u32>,
    after: Vec<u32>,
}

impl Tokens {
    /// Reads a `tokenizer.json`.
    ///
    /// # Errors
    /// Where it can't be read, or is none.
    pub(super) fn load(path: &Path) -> Result<Self, ModelError> {
        let unusable = |error: tokenizers::Error| ModelError::Content {
            path: path.to_owned(),
            reason: format!(
                "a tokenizer as Hugging Face's library writes it was expected: {}",
                first_line(&error)
            ),
        };
        let mut tokenizer = Tokenizer::from_file(path).map_err(unusable)?;
        // Windows are cut here, not there.
        tokenizer.with_truncation(None).map_err(unusable)?;
        tokenizer.with_padding(None);
        let example = tokenizer.encode("a", true).map_err(unusable)?;
        let special = example.get_special_tokens_mask().iter().map(|it| *it == 1);
        let special: Vec<(u32, bool)> = example.get_ids().iter().copied().zip(special).collect();
        let ids_while_special = |(id, is_special): &(u32, bool)| is_special.then_some(*id);
        let before: Vec<u32> = special.iter().map_while(ids_while_special).collect();
        let rest = special.iter().skip(before.len()).rev();
        let mut after: Vec<u32> = rest.map_while(ids_while_special).collect();
        after.reverse();
        Ok(Self {
            tokenizer,
            before,
            after,
        })
    }

    /// How many special tokens each window has.
    pub(super) const fn special(&self) -> usize {
        self.before.len() + self.after.len()
    }

    /// The ids of a window of tokens, with the special ones around them; and how many stand before the first of the window.
    pub(super) fn ids(&self, window: &[Token]) -> (Vec<i64>, usize) {
        let ids = window.iter().map(|token| token.id);
        let ids = self
            .before
            .iter()
            .copied()
            .chain(ids)
            .chain(self.after.iter().copied());
        (ids.map(i64::from).collect(), self.before.len())
    }

    /// The tokens of the words of a text. Words longer than [`MAX_WORD`] have none.
    ///
    /// # Errors
    /// Where the deadline is over first, or the tokenizer fails.
    pub(super) fn cut(
        &self,
        text: &str,
        words: &[Word],
        deadline: Deadline,
    ) -> Result<Vec<Token>, ShortenError> {
        let mut tokens = Vec::new();
        let mut index = 0;
        while let Some(word) = words.get(index) {
            if deadline.is_over() {
                return Err(ShortenError::OutOfTime);
            }
            if is_long(word) {
                index += 1;
                continue;
            }
            let fits = |it: &&Word| !is_long(it) && it.range.end - word.range.start <= MAX_PIECE;
            let count = words[index..].iter().take_while(fits).count();
            self.cut_piece(text, (index, &words[index..index + count]), &mut tokens)?;
            index += count;
        }
        Ok(tokens)
    }

    /// The tokens of words that are cut at once; `first` is the index of the first of them.
    fn cut_piece(
        &self,
        text: &str,
        (first, words): (usize, &[Word]),
        tokens: &mut Vec<Token>,
    ) -> Result<(), ShortenError> {
        let (Some(start), Some(end)) = (words.first(), words.last()) else {
            return Ok(());
        };
        let (start, end) = (start.range.start, end.range.end);
        let encoding = self.tokenizer.encode(&text[start..end], false);
        // What it says may quote the text.
        let encoding = encoding
            .map_err(|_| ShortenError::Failed("the model's tokenizer failed".to_owned()))?;
        let mut index = 0;
        for (&id, &(from, to)) in encoding.get_ids().iter().zip(encoding.get_offsets()) {
            while words
                .get(index)
                .is_some_and(|it| it.range.end <= start + from)
            {
                index += 1;
            }
            let word = words.get(index).filter(|it| it.range.start < start + to);
            tokens.push(Token {
                id,
                word: word.map(|_| first + index),
            });
        }
        Ok(())
    }
}

fn is_long(word: &Word) -> bool {
    word.range.len() > MAX_WORD
}

#[cfg(test)]
mod tests {
    use super::super::words::words;
    use super::*;

    /// Knows three words; any other is number 0. It cuts at white space and before and after signs.
    const TOKENIZER: &str = r#"{
        "truncation": {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0},
        "added_tokens": [
            {"id": 4, "content": "[S]", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
            {"id": 5, "content": "[E]", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}
        ],
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": {"type": "BertProcessing", "sep": ["[E]", 5], "cls": ["[S]", 4]},
        "model": {"type": "WordLevel", "vocab": {"?": 0, "one": 1, "two": 2, "three": 3}, "unk_token": "?"}
    }"#;

    fn load(json: &str) -> Result<Tokens, ModelError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokenizer.json");
        std::fs::write(&path, json).unwrap();
        Tokens::load(&path)
    }

    #[test]
    fn a_token_knows_its_word_and_a_window_its_ends() {
        let tokens = load(TOKENIZER).unwrap();
        let text = " one\n two, three";
        let cut = tokens.cut(text, &words(text), Deadline::NEVER).unwrap();
        let words: Vec<_> = cut.iter().map(|token| token.word.unwrap()).collect();
        assert_eq!(words, [0, 1, 1, 2]);
        assert_eq!(tokens.ids(&cut), (vec![4, 1, 2, 0, 3, 5], 1));
        assert_eq!(tokens.special(), 2);
    }

    #[test]
    fn a_long_text_is_cut_in_pieces_without_long_words() {
        let tokens = load(TOKENIZER).unwrap();
        let text = format!("{} {} one", "two ".repeat(10_000), "x".repeat(300));
        let words = words(&text);
        let cut = tokens.cut(&text, &words, Deadline::NEVER).unwrap();
        assert_eq!((cut.len(), words.len()), (10_001, 10_002));
        assert_eq!(cut.last().unwrap().word, Some(10_001));
        let over = Deadline::after(std::time::Duration::ZERO);
        assert_eq!(
            tokens.cut(&text, &words, over),
            Err(ShortenError::OutOfTime)
        );
    }

    #[test]
    fn what_is_no_tokenizer_is_refused_with_its_path() {
        let refused = load("{}").unwrap_err().to_string();
        assert!(
            refused.contains("tokenizer.json is not usable"),
            "{refused}"
        );
    }
}
