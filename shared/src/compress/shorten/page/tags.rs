//! What tags mean for the text of a page.

/// What a tag means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    /// All within is left out: code, styles, drawings, and what stands for them where they can't be used.
    LeftOut,
    /// An empty line stands before and behind what is within.
    Paragraph,
    /// A line of its own.
    Line,
    /// A heading of this level.
    Heading(usize),
    /// A list; whether its items have numbers.
    List {
        is_numbered: bool,
    },
    /// An item of a list.
    Item,
    /// A row of a table.
    Row,
    /// A cell of a row.
    Cell,
    /// Text whose white space counts.
    Verbatim,
    /// Code within a line.
    Code,
    Link,
    Image,
    Break,
    /// A line across the page.
    Rule,
    /// Nothing.
    Other,
}

impl Tag {
    /// What the tag of this name means.
    pub(super) const fn named(name: &[u8]) -> Self {
        match name {
            b"iframe" | b"noembed" | b"noframes" | b"noscript" | b"script" | b"style" | b"svg"
            | b"template" => Self::LeftOut,
            b"address" | b"article" | b"aside" | b"blockquote" | b"details" | b"dl"
            | b"fieldset" | b"figure" | b"footer" | b"form" | b"header" | b"main" | b"nav"
            | b"p" | b"section" | b"table" | b"title" => Self::Paragraph,
            b"body" | b"button" | b"caption" | b"center" | b"dd" | b"div" | b"dt"
            | b"figcaption" | b"head" | b"html" | b"legend" | b"optgroup" | b"option"
            | b"select" | b"summary" | b"tbody" | b"textarea" | b"tfoot" | b"thead" => Self::Line,
            b"h1" => Self::Heading(1),
            b"h2" => Self::Heading(2),
            b"h3" => Self::Heading(3),
            b"h4" => Self::Heading(4),
            b"h5" => Self::Heading(5),
            b"h6" => Self::Heading(6),
            b"ul" | b"menu" => Self::List { is_numbered: false },
            b"ol" => Self::List { is_numbered: true },
            b"li" => Self::Item,
            b"tr" => Self::Row,
            b"td" | b"th" => Self::Cell,
            b"pre" | b"xmp" | b"plaintext" | b"listing" => Self::Verbatim,
            b"code" | b"kbd" | b"samp" => Self::Code,
            b"a" => Self::Link,
            b"img" => Self::Image,
            b"br" => Self::Break,
            b"hr" => Self::Rule,
            _ => Self::Other,
        }
    }

    /// Whether it can't stand within a drawing: there, it ends it.
    pub(super) const fn ends_drawing(self) -> bool {
        !matches!(
            self,
            Self::Other | Self::LeftOut | Self::Link | Self::Paragraph
        )
    }
}
