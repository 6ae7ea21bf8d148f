//! What the compressors' tests share.

use super::call::Call;
use super::text::Text;
use super::{Compressor, Context, Earlier, OPENING, split_header};

/// A compressor's form of a text, once its own inverse has given the text back.
pub(super) fn round_trip(compressor: &dyn Compressor, text: &str) -> Option<String> {
    let earlier = Earlier::default();
    let context = Context {
        earlier: &earlier,
        call: &Call::default(),
    };
    let form = compressor.form(&Text::new(text), context)?.text;
    let (header, body) = split_header(&form).expect("a form has a header");
    assert!(form.starts_with(OPENING));
    let expanded = compressor
        .expand(header, body, &earlier)
        .expect("a compressor undoes its own header");
    assert!(text == expanded, "{text:?}\n{form:?}\n{expanded:?}");
    Some(form)
}
