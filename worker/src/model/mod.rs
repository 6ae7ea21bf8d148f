//! The token classification model: leaves words out of a text that a reader can do without.
//!
//! | file | what |
//! |---|---|
//! | here | [`Model`]: a text in, a shorter one out |
//! | `runtime` | finds and loads ONNX Runtime |
//! | `files` | the files of a model's folder, their identity, the configuration |
//! | `tokens` | cuts words into tokens |
//! | `windows` | cuts tokens into windows that overlap (pure) |
//! | `sessions`, `head` | runs the graph on a window; what graphs take and give |
//! | `words`, `protect`, `quotations` | a text's words, and which of them must stay (pure) |
//! | `select` | which words stay, and the text without the others (pure) |
//! | `pull` | downloads a model |
//!
mod error;
mod files;
mod head;
mod protect;
mod pull;
mod quotations;
mod runtime;
mod select;
mod sessions;
mod tokens;
mod windows;
mod words;

use std::path::Path;

use headroom_shared::compress::Deadline;
use headroom_shared::runtime::config::ModelSettings;

pub use self::error::ModelError;
use self::files::Files;
pub(crate) use self::pull::pull;
use self::select::{Limits, stay, text_of};
use self::sessions::Sessions;
use self::tokens::{Token, Tokens};
use self::windows::windows;
use self::words::{Word, words};
use crate::shortener::{ShortenError, Shortener, TokensLeft};

/// A model that is loaded, for several threads.
#[derive(Debug)]
pub struct Model {
    tokens: Tokens,
    sessions: Sessions,
    /// How many tokens a window has, without the special ones.
    window: usize,
    limits: Limits,
    identity: String,
}

impl Model {
    /// The fewest tokens in a window that say something of each other.
    const MIN_WINDOW: usize = 16;

    /// Loads the model in a folder, for so many threads at once.
    ///
    /// # Errors
    /// Where ONNX Runtime is not there, or a file of the model is missing or not usable.
    pub fn load(dir: &Path, settings: &ModelSettings, threads: usize) -> Result<Self, ModelError> {
        let files = Files::of(dir);
        let limits = Limits {
            threshold: settings.threshold,
            keep_rate: settings.keep_rate,
        };
        let identity = files.identity(limits)?;
        let config = files.read_config()?;
        let tokens = Tokens::load(&files.tokenizer)?;
        let window = config.window().saturating_sub(tokens.special());
        if window < Self::MIN_WINDOW {
            return Err(ModelError::Content {
                path: files.config,
                reason: format!(
                    "max_position_embeddings leaves room for {window} tokens, and {} or more were expected",
                    Self::MIN_WINDOW
                ),
            });
        }
        runtime::load()?;
        let sessions = Sessions::open(&files.graph, config.keep_label(), threads)?;
        let model = Self {
            tokens,
            sessions,
            window,
            limits,
            identity,
        };
        let text = "one word";
        let mut tokens = TokensLeft::OF_JOB;
        let trial = model.scores((text, &words(text)), &mut tokens, Deadline::NEVER);
        trial.map_err(|error| ModelError::Content {
            path: files.graph,
            reason: format!("a trial failed: {error}"),
        })?;
        Ok(model)
    }

    /// The score of each word of a text, the highest of its tokens; none for those that stay anyway, where the model was not asked for them, and
    /// behind the last window for which there are tokens left.
    fn scores(
        &self,
        (text, words): (&str, &[Word]),
        left: &mut TokensLeft,
        deadline: Deadline,
    ) -> Result<Vec<Option<f32>>, ShortenError> {
        let tokens = self.tokens.cut(text, words, deadline)?;
        let word_of = |token: &Token| words.get(token.word?);
        let may_go = |token: &Token| word_of(token).is_some_and(|word| !word.is_protected);
        let mut scores = vec![None; words.len()];
        for window in windows(tokens.len(), self.window) {
            let scored = &tokens[window.scored.clone()];
            if !scored.iter().any(may_go) {
                continue;
            }
            if !left.take(window.tokens.len()) {
                break;
            }
            if deadline.is_over() {
                return Err(ShortenError::OutOfTime);
            }
            let (ids, before) = self.tokens.ids(&tokens[window.tokens.clone()]);
            let of_window = self.sessions.scores(&ids, deadline)?;
            let first = before + window.scored.start - window.tokens.start;
            for (token, score) in scored.iter().zip(of_window.into_iter().skip(first)) {
                if let Some(of_word) = token.word.and_then(|word| scores.get_mut(word)) {
                    *of_word = Some(of_word.map_or(score, |other: f32| other.max(score)));
                }
            }
        }
        Ok(scores)
    }
}

impl Shortener for Model {
    fn shorten(
        &self,
        text: &str,
        tokens: &mut TokensLeft,
        deadline: Deadline,
    ) -> Result<Option<String>, ShortenError> {
        let words = words(text);
        let scores = self.scores((text, &words), tokens, deadline)?;
        Ok(text_of(text, &words, &stay(&words, &scores, self.limits)))
    }

    fn identity(&self) -> &str {
        &self.identity
    }
}
