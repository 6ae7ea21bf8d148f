//! [`StartTag`]: what a page's text takes from a start tag.

/// A target of a link or an image that is longer is left out, in bytes: it holds data.
const MAX_TARGET_BYTES: usize = 1024;

/// What targets begin with that lead nowhere else.
const NO_TARGETS: [&str; 3] = ["#", "javascript:", "data:"];

/// A start tag, as far as it has been read.
#[derive(Debug, Default)]
pub(super) struct StartTag {
    pub(super) name: Vec<u8>,
    /// The attribute that is being read.
    pub(super) attribute: Vec<u8>,
    /// `href` or `src`.
    target: Option<String>,
    pub(super) alt: Option<String>,
    pub(super) start: Option<u32>,
}

impl StartTag {
    /// One of which only the name has been read.
    pub(super) fn named(name: &[u8]) -> Self {
        Self {
            name: name.to_vec(),
            ..Self::default()
        }
    }

    /// Takes in the value of the attribute.
    pub(super) fn set(&mut self, value: &[u8]) {
        let value = || String::from_utf8_lossy(value).trim().to_owned();
        match &*self.attribute {
            b"href" | b"src" => self.target = self.target.take().or_else(|| Some(value())),
            b"alt" => self.alt = Some(value()),
            b"start" => self.start = value().parse().ok(),
            _ => {}
        }
    }

    /// Where it leads, if anywhere.
    pub(super) fn target(&mut self) -> Option<String> {
        let target = self.target.take()?;
        let leads = !NO_TARGETS.iter().any(|it| target.starts_with(it)) && !target.is_empty();
        (leads && target.len() <= MAX_TARGET_BYTES).then_some(target)
    }
}
