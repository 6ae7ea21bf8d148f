//! The layout of a JSON text: all of its white space, in few words.
//!
//! ```text
//! {
//!   "lib": ["dom", "es2022"],        {"lib":[ "dom","es2022"],"strict":true}
//!   "strict": true                   indented by 2 spaces, else on one line as {"a": [1, 2]}
//! }
//! ```
//!
//! A [`Rule`] tells which objects and arrays are broken into lines. Where one is not as the rule has it, a space stands after its opening
//! bracket: the only white space that JSON without its layout may have. Where that does not give a text back to the letter, its white
//! space is taken for part of what it says.

mod describe;
mod survey;
mod write;

use memchr::memchr;

use super::parse::{Document, Index, Kind, LazyDocument};

pub(super) const BYTE_ORDER_MARK: char = '\u{feff}';

/// More than any form of ours expands to: stops a damaged one.
const MAX_BYTES: usize = 1 << 30;

/// How a text is laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    rule: Rule,
    indent: Indent,
    /// What stands between a key and its value where members have lines of their own.
    colon: &'static str,
    one_line: OneLine,
    /// Whether there are objects and arrays that are not as the rule has it.
    exceptions: bool,
    /// Whether lines end in CRLF.
    crlf: bool,
    /// What stands before the first value, between two, and after the last.
    before: String,
    between: String,
    after: String,
}

/// Which objects and arrays are broken into lines: each element and member has one of its own, and the closing bracket, too.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Rule {
    None,
    All,
    /// Those in at most so many others, less one.
    Outermost(usize),
    /// Those that hold another one.
    Holders,
    Objects,
    /// None, but this stands after each comma of the outermost array.
    Rows(String),
}

/// What a line begins with for each level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Indent {
    Spaces(usize),
    Tab,
}

/// How an object or array that is not broken into lines is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct OneLine {
    /// What stands between a key and its value.
    colon: &'static str,
    /// What stands between two elements or members.
    comma: &'static str,
    /// What stands within the brackets of an object.
    object: &'static str,
    /// What stands within the brackets of an array.
    array: &'static str,
}

/// All that programs put between a key and its value.
const COLONS: [&str; 4] = [":", ": ", " : ", " :"];

const COMMAS: [&str; 2] = [",", ", "];

const PADDINGS: [&str; 2] = ["", " "];

impl Layout {
    /// The layout of a text, and the text without it. Whether that gives the text back, [`Layout::gives_back`] tells.
    pub(super) fn split(json: &LazyDocument<'_>) -> Option<(Self, String)> {
        let whole = json.text;
        let crlf = memchr(b'\r', whole.as_bytes()).is_some();
        if !crlf && !whole.starts_with(BYTE_ORDER_MARK) {
            return Self::split_json(json.get()?, whole);
        }
        let lf = whole.replace("\r\n", "\n");
        let json = lf.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&lf);
        let (layout, minified) = Self::split_json(&Document::parse(json)?, &lf)?;
        Some((Self { crlf, ..layout }, minified))
    }

    /// The same of a text whose lines end in LF.
    fn split_json(document: &Document<'_>, text: &str) -> Option<(Self, String)> {
        let layout = survey::layout(document, text)?;
        let minified = write::minified(document, &layout.rule);
        Some((layout, minified))
    }

    /// Whether JSON without its layout, laid out, is this text to the letter.
    pub(super) fn gives_back(&self, minified: &Document<'_>, text: &str) -> bool {
        self.write(minified, text.len())
            .is_some_and(|laid_out| laid_out == text)
    }

    /// JSON without its layout, laid out.
    pub(super) fn apply(&self, minified: &str) -> Option<String> {
        self.write(&Document::parse(minified)?, MAX_BYTES)
    }

    /// `None` if it would take more than `limit` bytes.
    fn write(&self, minified: &Document<'_>, limit: usize) -> Option<String> {
        let text = write::laid_out(minified, self, limit)?;
        Some(if self.crlf {
            text.replace('\n', "\r\n")
        } else {
            text
        })
    }
}

impl Rule {
    /// Whether the rule breaks an object or array, which is in `depth` others, into lines.
    fn breaks(&self, document: &Document<'_>, value: Index, depth: usize) -> bool {
        match self {
            Self::None | Self::Rows(_) => false,
            Self::All => true,
            Self::Outermost(levels) => depth < *levels,
            Self::Holders => document
                .children(value)
                .any(|child| document.kind(child) != Kind::Scalar),
            Self::Objects => document.kind(value) == Kind::Object,
        }
    }
}

impl OneLine {
    const WITHOUT_SPACES: Self = Self {
        colon: ":",
        comma: ",",
        object: "",
        array: "",
    };

    /// What stands within the brackets.
    fn padding(self, kind: Kind) -> &'static str {
        match kind {
            Kind::Object => self.object,
            Kind::Array => self.array,
            Kind::Scalar => "",
        }
    }
}
