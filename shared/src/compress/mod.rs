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

/// The blocks of the same conversation before this one.
#[derive(Debug, Default)]
pub struct Earlier<'a> {
    blocks: Vec<Source<'a>>,
}

impl<'a> Earlier<'a> {
    /// Adds the next block.
    pub fn push(&mut self, block: Source<'a>) {
        self.blocks.push(block);
    }
}

/// A smaller form of a block, if there is one: runs of equal lines become one line and a count.
#[must_use]
pub fn compress(block: Source<'_>, _earlier: &Earlier<'_>) -> Option<String> {
    let mut lines = block.text.lines().peekable();
    let mut form = String::new();
    while let Some(line) = lines.next() {
        let mut times = 1;
        while lines.next_if_eq(&line).is_some() {
            times += 1;
        }
        form.push_str(line);
        if times > 1 {
            form.push_str(&format!("\n[{times} times]"));
        }
        form.push('\n');
    }
    (form.len() < block.text.len()).then_some(form)
}
