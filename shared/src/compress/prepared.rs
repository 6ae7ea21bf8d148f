//! [`Prepared`]: a block that is compressed and then added to the earlier ones, for both of which much the same is asked of it.

use std::cell::{Cell, OnceCell};

use super::Source;
use super::call::Call;
use super::shorten::{self, Selection};
use super::text::Text;
use super::wrapper::Parts;
use crate::contract::id::OriginalId;
use crate::contract::tier::Tier;

/// A block, with what was found out about it: each only once for [`Prepared::compress`] and [`Earlier::push_prepared`].
///
/// [`Earlier::push_prepared`]: super::Earlier::push_prepared
#[derive(Debug)]
pub struct Prepared<'a> {
    pub(super) source: Source<'a>,
    /// By which name an agent can fetch its text again; `None` where it can't, so that nothing may be left out.
    pub(super) original: Option<OriginalId>,
    shown: OnceCell<Shown>,
    call: OnceCell<Call>,
    parts: OnceCell<Parts<'a>>,
    text: OnceCell<Text<'a>>,
    /// Whether a deadline came while something was found out, so that it may be incomplete.
    pub(super) is_cut: Cell<bool>,
}

/// What a form shows of a text at least.
#[derive(Debug)]
pub(super) enum Shown {
    All,
    /// These lines alone.
    Lines(Selection),
    /// All lines, without some of their words.
    Words(String),
    /// The text of a page of the web.
    Page(String),
}

impl<'a> Prepared<'a> {
    /// A block of which nothing is known yet.
    #[must_use]
    pub const fn of(source: Source<'a>) -> Self {
        Self {
            source,
            original: None,
            shown: OnceCell::new(),
            call: OnceCell::new(),
            parts: OnceCell::new(),
            text: OnceCell::new(),
            is_cut: Cell::new(false),
        }
    }

    /// The same in a conversation whose forms may leave out what `tier` says, where an agent can fetch the text again by this name.
    #[must_use]
    pub fn in_tier(self, tier: Tier, original: OriginalId) -> Self {
        match tier {
            Tier::Lossless => self,
            Tier::Recoverable => self.with_original(original),
        }
    }

    /// The same, where an agent can fetch the text again by this name: its form may leave out what [`shorten::select`] does not show, or
    /// of a page of the web all but its text.
    #[must_use]
    pub fn with_original(self, original: OriginalId) -> Self {
        Self {
            original: Some(original),
            ..self
        }
    }

    /// The same, where the form may show this selection alone.
    #[must_use]
    pub fn with_selection(self, original: OriginalId, selection: Selection) -> Self {
        Self {
            original: Some(original),
            shown: OnceCell::from(Shown::Lines(selection)),
            ..self
        }
    }

    /// The same, where the form may show `words` alone: the text with as many lines, without some of its words.
    #[must_use]
    pub fn with_words(self, original: OriginalId, words: String) -> Self {
        Self {
            original: Some(original),
            shown: OnceCell::from(Shown::Words(words)),
            ..self
        }
    }

    /// The shortened text, if anything may be left out.
    pub(super) fn shortened(&self) -> Option<String> {
        let original = self.original?;
        match self.shown() {
            Shown::All => None,
            Shown::Lines(selection) => Some(shorten::show(self.source.text, selection, original)),
            Shown::Words(words) => Some(shorten::show_words(words, original)),
            Shown::Page(page) => Some(shorten::show_page(page, self.source.text, original)),
        }
    }

    /// What a form may show of it at least.
    pub(super) fn shown(&self) -> &Shown {
        if self.original.is_none() {
            return &Shown::All;
        }
        self.shown.get_or_init(|| {
            if shorten::is_page(self.source) {
                let page = shorten::text_of_page(self.source.text);
                return page.map_or(Shown::All, Shown::Page);
            }
            let selection = shorten::select(self.source);
            selection.map_or(Shown::All, Shown::Lines)
        })
    }

    /// The same block, of which nothing is known yet.
    pub(super) fn anew(self) -> Self {
        Self {
            original: self.original,
            shown: self.shown,
            ..Self::of(self.source)
        }
    }

    /// The call whose output it is.
    pub(super) fn call(&self) -> &Call {
        let Source { tool, input, .. } = self.source;
        self.call.get_or_init(|| Call::of(tool, input))
    }

    /// What its text is made of.
    pub(super) fn parts(&self) -> &Parts<'a> {
        self.parts.get_or_init(|| Parts::of(self.text().json()))
    }

    /// Its text.
    pub(super) fn text(&self) -> &Text<'a> {
        self.text.get_or_init(|| Text::new(self.source.text))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::compress::{Deadline, Earlier, NoForm, compress};

    #[test]
    fn a_block_is_added_whole_although_a_deadline_cut_its_compressing_short() {
        let text: String = (0..20_000)
            .map(|line| format!("{line} is what stands on this line of it\n"))
            .collect();
        let source = |text| Source {
            text,
            tool: None,
            input: None,
        };
        let again = text.lines().skip(9_000).collect::<Vec<_>>().join("\n");
        let form_behind = |block: Prepared<'_>| {
            let mut earlier = Earlier::default();
            assert!(earlier.push_prepared(block));
            compress(source(&again), &earlier).unwrap()
        };
        let cut = Prepared::of(source(&text));
        let until = Deadline::after(Duration::from_micros(100));
        assert_eq!(
            cut.compress(&Earlier::default().until(until)),
            Err(NoForm::OutOfTime)
        );
        assert_eq!(form_behind(cut), form_behind(Prepared::of(source(&text))));
    }
}
