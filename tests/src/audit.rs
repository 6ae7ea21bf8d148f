//! What was replaced in a body, found without the product's own code.

use crate::conversation::{Block, Body, unescape};

/// Walks what the client sent and what the provider got side by side.
///
/// Gives the escaped text that stands in the place of each block.
///
/// # Errors
/// When anything outside the blocks differs in a byte, or a text is no JSON string.
pub fn texts<'a>(sent: &'a Body, got: &'a [u8]) -> Result<Vec<&'a str>, String> {
    if sent.bytes == got {
        let originals = sent.blocks.iter().map(|block| original(sent, block));
        return Ok(originals.collect());
    }
    let mut texts = Vec::with_capacity(sent.blocks.len());
    let (mut at, mut from) = (0, 0);
    for block in &sent.blocks {
        at = same(sent, from..block.range.start, got, at)?;
        let end = at + string_end(&got[at..]).ok_or("a text has no end")?;
        let text = std::str::from_utf8(&got[at..end]).map_err(|error| error.to_string())?;
        if text != original(sent, block) {
            unescape(text).map_err(|error| format!("a form is no JSON: {error}: {text}"))?;
        }
        texts.push(text);
        (at, from) = (end, block.range.end);
    }
    let end = same(sent, from..sent.bytes.len(), got, at)?;
    if end != got.len() {
        return Err(format!("{} bytes too many at the end", got.len() - end));
    }
    Ok(texts)
}

/// The escaped text of a block as the client sent it.
///
/// # Panics
/// When it is not UTF-8.
#[must_use]
pub fn original<'a>(sent: &'a Body, block: &Block) -> &'a str {
    std::str::from_utf8(&sent.bytes[block.range.clone()]).expect("UTF-8")
}

fn same(
    sent: &Body,
    range: std::ops::Range<usize>,
    got: &[u8],
    at: usize,
) -> Result<usize, String> {
    let expected = &sent.bytes[range.clone()];
    let end = at + expected.len();
    if got.get(at..end) == Some(expected) {
        return Ok(end);
    }
    let got = &got[at.min(got.len())..end.min(got.len())];
    let differs = expected.iter().zip(got).take_while(|(a, b)| a == b).count();
    let show = |bytes: &[u8]| {
        let piece =
            &bytes[differs.saturating_sub(80).min(bytes.len())..(differs + 80).min(bytes.len())];
        String::from_utf8_lossy(piece).into_owned()
    };
    Err(format!(
        "outside the blocks, at byte {} of the client's body:\n  sent {}\n  got  {}",
        range.start + differs,
        show(expected),
        show(got),
    ))
}

/// The position of the quote that ends a JSON string.
fn string_end(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match text.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}
