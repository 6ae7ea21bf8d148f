//! A body as it goes out: encoded with the coding in which it was received.

use std::time::Instant;

use crate::app::App;
use crate::content_encoding::{Coding, encoded};
use crate::http::scannable_body::beside_other_tasks;
use crate::plan::splice::Rope;

/// A body as it goes out.
#[derive(Debug)]
pub(crate) struct WireBody {
    pub(crate) rope: Rope,
    /// Whether it is without the content encoding of the one that was received.
    pub(crate) lost_encoding: bool,
}

impl WireBody {
    /// A body with the encoding of the one that was received, if that had any.
    pub(crate) const fn unchanged(rope: Rope) -> Self {
        Self {
            rope,
            lost_encoding: false,
        }
    }

    /// This text in the coding of the body that was received. Where that can't be done in time it goes out as plain text, which is the
    /// same to the provider's cache and to its bill.
    pub(crate) fn of_text(app: &App, text: Rope, coding: Option<Coding>) -> Self {
        let Some(coding) = coding else {
            return Self::unchanged(text);
        };
        Self::encoded(app, &text, coding).unwrap_or(Self {
            rope: text,
            lost_encoding: true,
        })
    }

    /// This text in this coding; `None` where that takes longer than new blocks may take to be compressed, or more memory than is left.
    fn encoded(app: &App, text: &Rope, coding: Coding) -> Option<Self> {
        let deadline = Instant::now() + app.rules.entry_budget;
        let limits = (deadline, &app.memory);
        let body = beside_other_tasks(text.len(), || encoded(text, coding, limits));
        if body.is_none() {
            let bytes = text.len();
            tracing::debug!(bytes, ?coding, "a spliced body could not be encoded again");
        }
        Some(Self::unchanged(Rope::from(body?)))
    }
}
