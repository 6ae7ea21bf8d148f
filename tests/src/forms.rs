//! The life of each block's form over a session: chosen once, changed at most once, by landing.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use headroom_proxy::scan::{MIN_TOOL_BYTES, MIN_USER_BYTES};
use headroom_shared::compress::{Earlier, Source, compress, equivalent, expand};
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
}

/// What may become of blocks that were sent before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Allowed {
    /// An original may change to a form: the provider has certainly nothing of it in its cache.
    pub landing: bool,
    /// A form may give way to its original for this request: the proxy may not have reached its store.
    pub originals: bool,
}

/// Expands forms, each with the originals of the blocks that stand before it in the request.
///
/// # Errors
/// When a form does not expand, or to something else than its original.
pub fn check_expansion(
    conversation: &Conversation,
    sent: &Body,
    new: &[NewForm],
) -> Result<(), String> {
    let Some(last) = new.iter().map(|form| form.block).max() else {
        return Ok(());
    };
    let mut earlier = Earlier::default();
    for (at, block) in sent.blocks.iter().enumerate().take(last + 1) {
        let source = source(conversation, block);
        if let Some(form) = new.iter().find(|form| form.block == at) {
            let text = unescape(&form.text).map_err(|error| error.to_string())?;
            let here = format!("message {} block {}", block.message, block.nth);
            let expanded = expand(&text, &earlier).map_err(|error| {
                format!(
                    "{here}: {error}
--- form\n{text}"
                )
            })?;
            if !equivalent(source.text, &expanded) {
                return Err(format!(
                    "{here} expands to something else\n--- form\n{text}\n--- expanded\n{expanded}\n--- original\n{}",
                    source.text
                ));
            }
        }
        if block.range.len() >= minimum(block.kind) {
            earlier.push(source);
        }
    }
    Ok(())
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
            let here = format!("message {} block {}", block.message, block.nth);
            if let (Some(Some(_)), None, true) = (known, &form, allowed.originals) {
                self.originals += 1;
                continue;
            }
            if let Some(Some(known)) = known {
                return Err(format!(
                    "{here} changed its form again\n  from {known}\n  to {form:?}"
                ));
            }
            if let Some(text) = &form {
                if block.message < bound_until {
                    return Err(format!(
                        "{here} was compressed before bound thinking: {text}"
                    ));
                }
                if original.len() < minimum(block.kind) {
                    return Err(format!("{here} is too small to be touched: {original}"));
                }
                if known.is_some() && !allowed.landing {
                    return Err(format!("{here} landed on a prefix that may be warm"));
                }
                *if known.is_some() {
                    &mut self.landed
                } else {
                    &mut self.entered
                } += 1;
                new.push(NewForm {
                    block: at,
                    text: text.clone(),
                });
            }
            self.sent.insert(place, form);
        }
        Ok(new)
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
