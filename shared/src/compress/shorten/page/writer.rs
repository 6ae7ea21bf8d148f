//! Writes the text of a page, tag by tag: no tree is made, so that time and memory grow with the page however its tags are nested.

use std::convert::Infallible;

use html5gum::emitters::callback::{CallbackEmitter, CallbackEvent};
use html5gum::{Span, Tokenizer};

use super::start_tag::StartTag;
use super::tags::Tag;

/// Lists within each other that are indented: deeper ones are as these.
const MAX_LISTS: usize = 8;

/// Spaces by which a list is indented within another.
const INDENT: usize = 2;

/// The line before text whose white space counts.
const FENCE_LINE: &str = "```\n";

/// The text of a page of HTML.
pub(super) fn text_of(html: &str) -> String {
    let mut writer = Writer::default();
    let on_event = |event: CallbackEvent<'_>, _: Span<()>| -> Option<Infallible> {
        writer.take(event);
        None
    };
    let mut emitter = CallbackEmitter::new(on_event);
    emitter.naively_switch_states(true);
    let Ok(()) = Tokenizer::new_with_emitter(html, emitter).finish();
    writer.end_link();
    writer.text
}

/// The text so far, and what the next text needs before it.
#[derive(Debug, Default)]
struct Writer {
    text: String,
    /// So many line breaks, at most two.
    breaks: usize,
    /// A space, where there is no line break.
    space: bool,
    /// No space in any case: a sign stands before it that it belongs to.
    is_joined: bool,
    /// What the next text, a heading or an item of a list, begins with.
    mark: String,
    /// So many signs between cells.
    cells: usize,
    /// Whether nothing stands in the row yet.
    row_is_empty: bool,
    /// Whether white space counts.
    is_verbatim: bool,
    /// For each list, the number of its next item; none where they have no numbers.
    lists: Vec<Option<u32>>,
    /// Lists that are deeper than those.
    deeper_lists: usize,
    /// The target of the link that is open.
    link: Option<String>,
    /// The element that is left out, and how many of its name are open.
    left_out: Option<(Vec<u8>, usize)>,
    tag: StartTag,
}

impl Writer {
    fn take(&mut self, event: CallbackEvent<'_>) {
        match event {
            CallbackEvent::OpenStartTag { name } => self.tag = StartTag::named(name),
            CallbackEvent::AttributeName { name } => {
                self.tag.attribute.clear();
                self.tag.attribute.extend_from_slice(name);
            }
            CallbackEvent::AttributeValue { value } => self.tag.set(value),
            CallbackEvent::CloseStartTag { self_closing } => self.start(self_closing),
            CallbackEvent::EndTag { name } => self.end(name),
            CallbackEvent::String { value } if self.left_out.is_none() => {
                let text = String::from_utf8_lossy(value);
                if self.is_verbatim {
                    self.verbatim(&text);
                } else {
                    self.words(&text);
                }
            }
            CallbackEvent::String { .. }
            | CallbackEvent::Comment { .. }
            | CallbackEvent::Doctype { .. }
            | CallbackEvent::Error(_) => {}
        }
    }

    fn start(&mut self, is_self_closing: bool) {
        let mut start = std::mem::take(&mut self.tag);
        let tag = Tag::named(&start.name);
        if let Some((name, count)) = &mut self.left_out {
            *count += usize::from(*name == start.name && !is_self_closing);
            if name != b"svg" || !tag.ends_drawing() {
                return;
            }
            self.left_out = None;
        }
        match tag {
            Tag::LeftOut => {
                // Of these only a drawing may be closed so.
                if start.name != b"svg" || !is_self_closing {
                    self.left_out = Some((start.name, 1));
                }
            }
            Tag::Paragraph => self.break_lines(2),
            Tag::Line => self.break_lines(1),
            Tag::Heading(level) => {
                self.break_lines(2);
                self.start_heading(level);
            }
            Tag::List { is_numbered } => {
                self.start_list(is_numbered.then(|| start.start.unwrap_or(1)))
            }
            Tag::Item => self.start_item(),
            Tag::Row => self.start_row(),
            Tag::Cell => self.start_cell(),
            Tag::Verbatim => self.start_verbatim(),
            Tag::Code if !self.is_verbatim => self.open("`"),
            Tag::Link => {
                self.end_link();
                self.link = start.target();
                if self.link.is_some() {
                    self.open("[");
                }
            }
            Tag::Image => self.image(&mut start),
            Tag::Break if self.is_verbatim => self.text.push('\n'),
            Tag::Break => self.breaks = (self.breaks + 1).min(2),
            Tag::Rule => {
                self.break_lines(2);
                self.words("---");
                self.break_lines(2);
            }
            Tag::Code | Tag::Other => {}
        }
    }

    fn end(&mut self, name: &[u8]) {
        // Some end tags have attributes.
        self.tag = StartTag::default();
        if let Some((left_out, count)) = &mut self.left_out {
            if left_out == name {
                *count -= 1;
                if *count == 0 {
                    self.left_out = None;
                }
            }
            return;
        }
        match Tag::named(name) {
            Tag::Paragraph => self.break_lines(2),
            Tag::Line => self.break_lines(1),
            Tag::Heading(_) => {
                self.mark.clear();
                self.break_lines(2);
            }
            Tag::List { .. } => self.end_list(),
            Tag::Item => self.end_item(),
            Tag::Row => self.end_row(),
            Tag::Verbatim => self.end_verbatim(),
            Tag::Code if !self.is_verbatim => self.close("`"),
            Tag::Link => self.end_link(),
            Tag::LeftOut
            | Tag::Cell
            | Tag::Code
            | Tag::Image
            | Tag::Break
            | Tag::Rule
            | Tag::Other => {}
        }
    }

    /// At least so many line breaks stand before the next text.
    fn break_lines(&mut self, count: usize) {
        // What an item or a row begins with stands on its first line.
        let is_begun = !self.mark.is_empty() || self.row_is_empty && self.cells > 0;
        if !is_begun {
            self.breaks = self.breaks.max(count);
        }
    }

    /// Writes what the next text needs before it.
    fn begin(&mut self) {
        let is_new_row = std::mem::take(&mut self.row_is_empty);
        let cells = std::mem::take(&mut self.cells);
        let is_joined = std::mem::take(&mut self.is_joined);
        if cells > 0 && !is_new_row || is_joined {
            // What stands in a cell ends no row.
            self.breaks = 0;
        }
        let breaks = std::mem::take(&mut self.breaks);
        let space = std::mem::take(&mut self.space) && !is_joined;
        if !self.text.is_empty() {
            let bytes = self.text.bytes().rev();
            let there = bytes.take(breaks).take_while(|byte| *byte == b'\n').count();
            self.text.extend(std::iter::repeat_n('\n', breaks - there));
        }
        // The first cell of a row has no sign before it.
        for _ in usize::from(is_new_row)..cells {
            self.separate();
            self.text.push('|');
        }
        if space && breaks == 0 || cells > 0 {
            self.separate();
        }
        if !self.mark.is_empty() {
            self.text.push_str(&self.mark);
            self.text.push(' ');
            self.mark.clear();
        }
    }

    /// A space, but at the beginning of a line and behind another one.
    fn separate(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with([' ', '\n']) {
            self.text.push(' ');
        }
    }

    /// Writes a sign that the next text follows at once.
    fn open(&mut self, sign: &str) {
        self.begin();
        self.text.push_str(sign);
        self.is_joined = true;
    }

    /// Writes a sign that follows the last text at once.
    fn close(&mut self, sign: &str) {
        self.text.push_str(sign);
        self.is_joined = false;
    }

    /// Writes text, in which a run of white space is a space.
    fn words(&mut self, text: &str) {
        let is_space = |c: char| c.is_ascii_whitespace();
        self.space |= text.starts_with(is_space);
        let mut words = text.split_ascii_whitespace();
        if let Some(first) = words.next() {
            self.begin();
            self.text.push_str(first);
            for word in words {
                self.text.push(' ');
                self.text.push_str(word);
            }
            self.space = text.ends_with(is_space);
        }
    }

    /// Writes text as it is.
    fn verbatim(&mut self, text: &str) {
        if self.breaks > 0 || self.cells > 0 || !self.mark.is_empty() {
            self.begin();
        }
        // A line break right behind the tag is none of the text.
        let is_first = self.text.ends_with(FENCE_LINE);
        let behind_break = text.strip_prefix('\n').filter(|_| is_first);
        self.text.push_str(behind_break.unwrap_or(text));
    }

    fn image(&mut self, image: &mut StartTag) {
        let Some(alt) = image.alt.take().filter(|alt| !alt.is_empty()) else {
            return;
        };
        self.open("![");
        self.close(&alt);
        let target = image.target();
        self.close(&target.map_or_else(|| "]".to_owned(), |target| format!("]({target})")));
    }

    fn end_link(&mut self) {
        if let Some(target) = self.link.take() {
            self.close(&format!("]({target})"));
        }
    }

    fn start_list(&mut self, number: Option<u32>) {
        self.break_lines(if self.lists.is_empty() { 2 } else { 1 });
        if self.lists.len() < MAX_LISTS {
            self.lists.push(number);
        } else {
            self.deeper_lists += 1;
        }
    }

    fn end_list(&mut self) {
        self.mark.clear();
        if self.deeper_lists > 0 {
            self.deeper_lists -= 1;
        } else {
            self.lists.pop();
        }
        self.break_lines(if self.lists.is_empty() { 2 } else { 1 });
    }

    fn start_item(&mut self) {
        self.break_lines(1);
        self.mark = " ".repeat(INDENT * self.lists.len().saturating_sub(1));
        match self.lists.last_mut() {
            Some(Some(number)) => {
                self.mark.push_str(&format!("{number}."));
                *number = number.saturating_add(1);
            }
            _ => self.mark.push('-'),
        }
    }

    fn end_item(&mut self) {
        if self.mark.is_empty() {
            self.breaks = 1;
        }
        self.mark.clear();
    }

    fn start_heading(&mut self, level: usize) {
        if self.mark.ends_with('#') {
            self.mark.clear();
        } else if !self.mark.is_empty() {
            self.mark.push(' ');
        }
        self.mark.extend(std::iter::repeat_n('#', level));
    }

    fn start_row(&mut self) {
        self.cells = 0;
        self.break_lines(1);
        self.row_is_empty = true;
    }

    fn start_cell(&mut self) {
        self.cells += 1;
        self.space = false;
    }

    fn end_row(&mut self) {
        self.cells = 0;
        if self.row_is_empty {
            self.break_lines(1);
        } else {
            self.breaks = 1;
        }
    }

    fn start_verbatim(&mut self) {
        if !self.is_verbatim {
            self.break_lines(2);
            self.open(FENCE_LINE);
            self.is_joined = false;
            self.is_verbatim = true;
        }
    }

    fn end_verbatim(&mut self) {
        if self.is_verbatim {
            self.is_verbatim = false;
            if !self.text.ends_with('\n') {
                self.text.push('\n');
            }
            self.close("```");
            self.break_lines(2);
        }
    }
}
