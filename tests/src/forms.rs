//! The life of each block's form over a session: chosen once, changed at most once, by landing.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use headroom_proxy::scan::{MIN_TOOL_BYTES, MIN_USER_BYTES};
use headroom_shared::compress::shorten::original_of;
use headroom_shared::compress::{Earlier, Prepared, Source, compress, expand, gives_back};
use headroom_shared::contract::id::OriginalId;
use headroom_shared::contract::model::Model;

use crate::audit;
use crate::conversation::{Block, Body, Conversation, Kind, Message, unescape};

/// A block's place: everything before it, and which of its message's blocks it is.
type Place = (u64, usize);

/// The form of every block that a session has sent.
#[derive(Debug, Default)]
pub struct Forms {
    /// `None`: the original.
    sent: HashMap<Place, Option<String>>,
    /// How many blocks were compressed when first sent.
    pub entered: usize,
    /// How many blocks changed from the original.
    pub landed: usize,
    /// How many blocks went out in the original once more, where that was allowed.
    pub originals: usize,
    /// How many of these stood before bound thinking.
    pub bound_originals: usize,
    /// How many blocks changed their form in another way, where the store had lost what it knew.
    pub lost: usize,
    /// How many of these stood before bound thinking.
    pub bound_lost: usize,
}

/// What may become of blocks that were sent before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Allowed {
    /// An original may change to a form: the provider has certainly nothing of it in its cache.
    pub landing: bool,
    /// A form may give way to its original for this request: the proxy may not have reached its store.
    pub originals: bool,
    /// Any block may change its form: the store has lost what it knew. What goes out is the block's form from then on.
    pub loss: bool,
    /// A form may leave out what the agent can fetch again.
    pub shortening: bool,
}

/// What became of a block that goes out in another way than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// Compressed when first sent.
    Enters,
    /// From the original to a form.
    Lands,
    /// From a form to the original.
    Original,
    /// From one form to another.
    Flips,
}

/// Expands forms, each with the originals of the blocks that stand before it in the request. One that leaves out what the agent can fetch again
/// says nothing else than its original, where that is allowed.
///
/// # Errors
/// When a form does not expand, or to something else than its original.
pub fn check_expansion(
    conversation: &Conversation,
    sent: &Body,
    new: &[NewForm],
    allowed: Allowed,
) -> Result<(), String> {
    let Some(last) = new.iter().map(|form| form.block).max() else {
        return Ok(());
    };
    let mut earlier = Earlier::default();
    let mut messages = 0;
    for (at, block) in sent.blocks.iter().enumerate().take(last + 1) {
        for (tool, input) in conversation.calls_in(messages..block.message) {
            earlier.push_call(&tool, &input);
        }
        messages = block.message;
        let source = source(conversation, block);
        if let Some(form) = new.iter().find(|form| form.block == at) {
            let text = unescape(&form.text).map_err(|error| error.to_string())?;
            let here = format!("message {} block {}", block.message, block.nth);
            let shortens = original_of(&text).filter(|_| allowed.shortening);
            let checked = match shortens {
                Some(original) => check_shortened(&text, source, original, &earlier),
                None => check_lossless(&text, source, &earlier),
            };
            checked.map_err(|error| format!("{here} {error}\n--- form\n{text}"))?;
        }
        if block.range.len() >= minimum(block.kind) {
            earlier.push(source);
        }
    }
    Ok(())
}

fn check_lossless(form: &str, source: Source<'_>, earlier: &Earlier) -> Result<(), String> {
    let expanded = expand(form, earlier);
    let expanded = expanded.map_err(|error| format!("does not expand: {error}"))?;
    if gives_back(form, source, earlier) {
        return Ok(());
    }
    Err(format!(
        "expands to something else\n--- expanded\n{expanded}\n--- original\n{}",
        source.text
    ))
}

fn check_shortened(
    form: &str,
    source: Source<'_>,
    original: OriginalId,
    earlier: &Earlier,
) -> Result<(), String> {
    let block = Prepared::of(source).with_original(original);
    if block.gives_back(form, earlier) {
        return Ok(());
    }
    Err(format!(
        "says something else\n--- original\n{}",
        source.text
    ))
}

/// Whether a compressor makes any block of a request smaller.
#[must_use]
pub fn shrinks(conversation: &Conversation, sent: &Body) -> bool {
    let mut blocks = sent.blocks.iter();
    blocks.any(|block| {
        block.range.len() >= minimum(block.kind)
            && compress(source(conversation, block), &Earlier::default()).is_ok()
    })
}

/// A block as a compressor sees it.
fn source<'a>(conversation: &'a Conversation, block: &Block) -> Source<'a> {
    let call = block
        .answers
        .as_ref()
        .and_then(|id| conversation.calls.get(id));
    Source {
        text: &conversation.messages[block.message].originals()[block.nth],
        tool: call.map(|(name, _)| name.as_str()),
        input: call.map(|(_, input)| input.as_str()),
    }
}

/// A form that was never sent before, to be checked against its original.
#[derive(Debug)]
pub struct NewForm {
    /// Which of the body's blocks it stands for.
    pub block: usize,
    /// Its escaped text.
    pub text: String,
}

impl Forms {
    /// Takes over what another client of the same conversation has sent.
    pub fn assume(&mut self, other: &Self) {
        self.sent.extend(other.sent.clone());
    }

    /// Takes in one request: what the client sent and what the provider got.
    ///
    /// # Errors
    /// When a form is not what it must be.
    pub fn observe(
        &mut self,
        conversation: &Conversation,
        sent: &Body,
        got: &[u8],
        allowed: Allowed,
    ) -> Result<Vec<NewForm>, String> {
        let texts = audit::texts(sent, got)?;
        let prefixes = prefixes(conversation);
        let bound_until = bound_until(conversation);
        let mut new = Vec::new();
        for (at, (block, text)) in sent.blocks.iter().zip(texts).enumerate() {
            let original = audit::original(sent, block);
            let form = (text != original).then(|| text.to_owned());
            let place = (prefixes[block.message], block.nth);
            let known = self.sent.get(&place);
            if known == Some(&form) {
                continue;
            }
            let bound = block.message < bound_until;
            let here = format!("message {} block {}", block.message, block.nth);
            if form.is_some() && original.len() < minimum(block.kind) {
                return Err(format!("{here} is too small to be touched: {original}"));
            }
            if let Some(change) = Change::of(known, form.as_deref()) {
                let refused = change.refused(bound, allowed);
                if allowed.loss && known.is_some() && (refused || change == Change::Original) {
                    self.lost += 1;
                    self.bound_lost += usize::from(bound);
                } else if refused {
                    return Err(format!(
                        "{here} {}\n  from {known:?}\n  to {form:?}",
                        change.fault(bound)
                    ));
                } else {
                    self.count(change, bound);
                    if change == Change::Original {
                        continue;
                    }
                }
            }
            if let Some(text) = &form {
                let text = text.clone();
                new.push(NewForm { block: at, text });
            }
            self.sent.insert(place, form);
        }
        Ok(new)
    }

    fn count(&mut self, change: Change, bound: bool) {
        match change {
            Change::Enters => self.entered += 1,
            Change::Lands => self.landed += 1,
            Change::Original => {
                self.originals += 1;
                self.bound_originals += usize::from(bound);
            }
            Change::Flips => {}
        }
    }
}

impl Change {
    /// What it is for a block that went out as `known` before, if it did, and goes out as `form`; `None` for one that goes out in
    /// the original for the first time.
    fn of(known: Option<&Option<String>>, form: Option<&str>) -> Option<Self> {
        match (known, form) {
            (None, None) | (Some(None), None) => None,
            (None, Some(_)) => Some(Self::Enters),
            (Some(None), Some(_)) => Some(Self::Lands),
            (Some(Some(_)), None) => Some(Self::Original),
            (Some(Some(_)), Some(_)) => Some(Self::Flips),
        }
    }

    /// Whether it must not be, for a block before bound thinking or another one.
    fn refused(self, bound: bool, allowed: Allowed) -> bool {
        match self {
            Self::Enters => bound,
            Self::Lands => bound || !allowed.landing,
            Self::Original => !allowed.originals,
            Self::Flips => true,
        }
    }

    /// Why it must not be.
    fn fault(self, bound: bool) -> &'static str {
        match self {
            Self::Enters | Self::Lands if bound => "was compressed before bound thinking",
            Self::Enters | Self::Lands => "landed on a prefix that may be warm",
            Self::Original | Self::Flips => "changed its form again",
        }
    }
}

/// The smallest escaped text of this kind that the product replaces.
#[must_use]
pub fn minimum(kind: Kind) -> usize {
    match kind {
        Kind::Tool => MIN_TOOL_BYTES,
        Kind::User => MIN_USER_BYTES,
    }
}

/// For each message the name of all that stands before and in it.
fn prefixes(conversation: &Conversation) -> Vec<u64> {
    let mut hasher = DefaultHasher::new();
    let messages = conversation.messages.iter();
    messages
        .map(|message| {
            message.hash.hash(&mut hasher);
            hasher.finish()
        })
        .collect()
}

/// The message whose thinking binds all that stands before it; 0 if none does.
fn bound_until(conversation: &Conversation) -> usize {
    if !Model::named(&conversation.model).binds_thinking {
        return 0;
    }
    let last = conversation.messages.iter().rposition(Message::thinks);
    last.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::Dialect;

    const LOSS: Allowed = Allowed {
        landing: false,
        originals: false,
        loss: true,
        shortening: false,
    };
    const IN_DOUBT: Allowed = Allowed {
        loss: false,
        originals: true,
        ..LOSS
    };

    /// A block, and thinking behind it that binds it.
    fn bound() -> Conversation {
        let mut conversation = Conversation::new(Dialect::Messages, "bound").user("Read.");
        "claude-opus-5-5".clone_into(&mut conversation.model);
        conversation.reads(1, 4000)
    }

    /// The body with this in place of its large block.
    fn with_form(sent: &Body, form: &str) -> Vec<u8> {
        let block = sent.blocks.iter().max_by_key(|block| block.range.len());
        let range = block.expect("a block").range.clone();
        [
            &sent.bytes[..range.start],
            form.as_bytes(),
            &sent.bytes[range.end..],
        ]
        .concat()
    }

    /// What comes of a session whose block went out in a form, thinking followed, and then the block goes out in this one.
    fn then(form: Option<&str>, allowed: Allowed) -> (Forms, Result<(), String>) {
        let mut forms = Forms::default();
        let begun = bound();
        let sent = begun.body();
        let got = with_form(&sent, "[a form]");
        let entered = forms.observe(&begun, &sent, &got, Allowed::default());
        assert_eq!(entered.expect("it enters").len(), 1);
        let later = begun.thinking("Hm.").user("Go on.");
        let sent = later.body();
        let got = form.map_or(sent.bytes.clone(), |form| with_form(&sent, form));
        let seen = forms.observe(&later, &sent, &got, allowed).map(drop);
        (forms, seen)
    }

    #[test]
    fn an_original_again_is_counted_apart_before_bound_thinking() {
        let (forms, seen) = then(None, IN_DOUBT);
        assert_eq!(
            (forms.originals, forms.bound_originals, seen),
            (1, 1, Ok(()))
        );
        let (_, seen) = then(None, Allowed::default());
        assert!(seen.is_err_and(|error| error.contains("changed its form again")));
    }

    #[test]
    fn after_a_loss_any_form_may_come_and_stays() {
        for form in [None, Some("[another]")] {
            let (mut forms, seen) = then(form, LOSS);
            assert_eq!((forms.lost, forms.bound_lost, seen), (1, 1, Ok(())));
            let later = bound().thinking("Hm.").user("Go on.");
            let sent = later.body();
            let again = form.map_or(sent.bytes.clone(), |form| with_form(&sent, form));
            let mut observe = |got: &[u8]| forms.observe(&later, &sent, got, Allowed::default());
            assert!(observe(&again).is_ok());
            assert!(observe(&with_form(&sent, "[a form]")).is_err());
        }
        assert!(then(Some("[another]"), IN_DOUBT).1.is_err());
    }
}
