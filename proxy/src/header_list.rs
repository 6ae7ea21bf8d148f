//! Header values that are lists, such as `close, te`.

use http::HeaderValue;

/// The items of a list.
pub(crate) fn items(value: &HeaderValue) -> impl DoubleEndedIterator<Item = &[u8]> {
    let items = value.as_bytes().split(|byte| *byte == b',');
    items.map(<[u8]>::trim_ascii)
}
