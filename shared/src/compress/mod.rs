//! The compressors: each makes a text smaller and has an inverse.

/// Version of the forms that [`compress`] makes. It changes whenever the same block may get another form.
pub const VERSION: u32 = 1;

/// A block as a compressor sees it.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The text, as the model reads it.
    pub text: &'a str,
    /// Name of the tool whose output it is, when known.
    pub tool: Option<&'a str>,
    /// The tool call's input as JSON text, when known.
    pub input: Option<&'a str>,
}

/// Stub.
#[derive(Debug, Default)]
pub struct Earlier<'a>(std::marker::PhantomData<&'a ()>);
impl<'a> Earlier<'a> {
    /// Stub.
    pub fn push(&mut self, _block: Source<'a>) {}
}
/// Stub.
#[must_use]
pub fn compress(block: Source<'_>, _earlier: &Earlier<'_>) -> Option<String> {
    (block.text.len() > 1000).then(|| block.text[..10].to_owned())
}
