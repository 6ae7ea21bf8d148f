//! Adds blocks to the index of earlier blocks: which of their lines a later block may refer to.

use std::borrow::Cow;
use std::sync::Arc;

use super::call::{Call, end_of_path};
use super::earlier::{Block, Earlier, hash};
use super::form::Form;
use super::json::parse::LazyDocument;
use super::line_numbers::strip::{is_mark, is_unnumbered, strip};
use super::lines::lines;
use super::patch::{self, PatchedFile};
use super::prepared::Shown;
use super::references::window::{Window, windows};
use super::text::Text;
use super::wrapper::{self, Wrapped};
use super::{Context, OPENING, Prepared, Source, ansi, diff, json, log, prefixes, search, size};

/// The lines of a block as a later block may refer to them.
#[derive(Default)]
struct Lines {
    starts: Vec<u32>,
    hidden: Vec<bool>,
    /// The windows whose lines are all shown.
    windows: Vec<Window>,
    /// How many lines at the end can only be named as the last ones.
    last: usize,
}

/// More lines at the end of a block than these are not named as its last ones.
const MOST_LAST_LINES: usize = 32;

impl Earlier {
    /// Adds the next block of the conversation: see [`Earlier::push_prepared`].
    pub fn push(&mut self, block: Source<'_>) -> bool {
        self.push_prepared(Prepared::of(block))
    }

    /// Adds the next block of the conversation, whether or not it got a form; `false` where the deadline came first and it is left out.
    /// Linear in the block.
    pub fn push_prepared(&mut self, block: Prepared<'_>) -> bool {
        if self.deadline.is_over() {
            return false;
        }
        // What a deadline cut short is found out anew.
        let block = match block.is_cut.get() {
            true => block.anew(),
            false => block,
        };
        let insides = wrapper::insides_of(block.parts());
        let (mut entry, mut windows) = self.read(&block, &insides);
        match block.shown() {
            Shown::All => {}
            shown @ (Shown::Lines(_) | Shown::Words(_) | Shown::Page(_)) => {
                hide_left_out(shown, &mut entry, &mut windows);
                // As a whole it may not be there for the model to see.
                return self.add(entry, &[], windows);
            }
        }
        let insides = insides.iter().map(|inside| hash(inside));
        let texts: Vec<u64> = insides.chain([hash(block.source.text)]).collect();
        self.add(entry, &texts, windows)
    }

    /// Adds the long texts in the input of a tool call that stands before the next block: the model wrote them, and their lines may come
    /// back in a block. `false` where the deadline came first. Linear in the input.
    pub fn push_call(&mut self, tool: &str, input: &str) -> bool {
        if self.deadline.is_over() {
            return false;
        }
        let Some((call, texts)) = Call::with_texts(tool, input) else {
            return true;
        };
        texts.into_iter().all(|(member, text)| {
            let lines = lines(&text);
            // A file that is written may hold a patch as an example.
            let patched = match call.file {
                None => patch::files(&lines),
                Some(_) => Vec::new(),
            };
            if patched.is_empty() {
                let block = Block {
                    original: text.as_str().into(),
                    label: format!("{member} of {}", call.label).into_boxed_str(),
                    file: call.file.clone().map(String::into_boxed_str),
                    ..written(&lines, vec![false; lines.len()])
                };
                let windows = windows(&lines, self.deadline);
                return self.add(block, &[hash(&text)], windows);
            }
            patched.into_iter().all(|file| self.push_patched(file))
        })
    }

    fn push_patched(&mut self, file: PatchedFile<'_>) -> bool {
        let mut windows = windows(&file.lines, self.deadline);
        windows.retain(|window| !file.hidden[window.lines()].contains(&true));
        if windows.is_empty() {
            return true;
        }
        let block = Block {
            original: file.lines.join("\n").into_boxed_str(),
            label: format!("patch of {}", end_of_path(file.path)).into_boxed_str(),
            file: Some(file.path.into()),
            ..written(&file.lines, file.hidden)
        };
        self.add(block, &[], windows)
    }

    fn add(&mut self, block: Block, texts: &[u64], windows: Vec<Window>) -> bool {
        // Past the deadline the loops ended early, so the lines may be incomplete.
        if self.deadline.is_over() {
            return false;
        }
        let Ok(number) = u32::try_from(self.blocks.len()) else {
            return false;
        };
        let windows = windows.into_iter().map_while(|window| {
            let line = u32::try_from(window.line).ok()?;
            Some((window.hash, line))
        });
        let texts = texts.iter().copied();
        self.lookup.add(number, hash(&block.label), texts, windows);
        self.blocks.push(Arc::new(block));
        true
    }

    fn read(&self, prepared: &Prepared<'_>, insides: &[Cow<'_, str>]) -> (Block, Vec<Window>) {
        let (source, call) = (prepared.source, prepared.call());
        let context = Context {
            earlier: self,
            call,
        };
        let plain = ansi::readable(source);
        let of_plain = match &plain {
            Cow::Borrowed(_) => None,
            Cow::Owned(plain) => Some(wrapper::insides(plain)),
        };
        let insides = of_plain.as_deref().unwrap_or(insides);
        let innermost = insides.last().map_or(&*plain, |inside| inside);
        let (mut first, mut stripped, mut found) = (1, None, Lines::default());
        let is_json = match (insides, &plain) {
            ([], Cow::Borrowed(_)) => json::is_json(prepared.text().json()),
            _ => json::is_json(&LazyDocument::new(innermost)),
        };
        // Offsets are kept in 32 bits.
        if !is_json && u32::try_from(plain.len()).is_ok() {
            let read = match insides {
                [] => Cow::Borrowed(&*plain),
                _ => as_read(&plain),
            };
            let is_whole = *read == *source.text;
            (first, stripped, found) = match is_whole {
                true => named_lines(prepared.text(), context),
                false => named_lines(&Text::new(&read), context),
            };
            if stripped.is_none() && !is_whole {
                stripped = Some(Box::from(&*read));
            }
        }
        let block = Block {
            original: Box::from(source.text),
            label: Box::from(&*call.label),
            file: call.file.as_deref().map(Box::from),
            is_from_model: false,
            stripped,
            starts: found.starts.into_boxed_slice(),
            hidden: found.hidden.into_boxed_slice(),
            first,
            last: found.last,
        };
        (block, found.windows)
    }
}

/// The lines of a text, with the number by which the first is named and, if the text has line numbers, itself without them.
fn named_lines(text: &Text<'_>, context: Context<'_>) -> (i64, Option<Box<str>>, Lines) {
    let Some(stripped) = text.without_numbers() else {
        return (1, None, Lines::of(text, false, context));
    };
    let number = stripped.first.and_then(|first| i64::try_from(first).ok());
    let plain = Text::with(&stripped.text, text.found_of_stripped());
    let lines = Lines::of(&plain, number.is_some(), context);
    // The header is the line before the first.
    (
        number.unwrap_or(1) - 1,
        Some(Box::from(&*stripped.text)),
        lines,
    )
}

impl Lines {
    /// Those of a text, which may have the line numbers of a file.
    fn of(text: &Text<'_>, numbered: bool, context: Context<'_>) -> Self {
        let deadline = context.earlier.deadline;
        let lines = text.lines();
        let starts = line_starts(lines);
        if search::is_search(text, deadline) {
            return Self {
                starts,
                hidden: vec![true; lines.len()],
                ..Self::default()
            };
        }
        let windows = text.windows(deadline);
        let mut hidden: Vec<bool> = lines.iter().map(|l| l.starts_with(OPENING)).collect();
        hide(&mut hidden, search::hidden(text, deadline));
        for found in text.references(context).iter() {
            hidden[found.lines.clone()].fill(true);
        }
        // What a file holds is not searched for runs.
        if !text.whole.starts_with(OPENING) && !context.call.reads_file {
            for run in text.runs(deadline) {
                hidden[run.lines()].fill(true);
            }
            hide(&mut hidden, prefixes::hidden(text, context));
        }
        hide(&mut hidden, log::hidden(text, deadline));
        hide(&mut hidden, diff::hidden(text, context));
        let last = match numbered {
            true => hide_unnumbered(lines, &mut hidden),
            false => 0,
        };
        let is_shown = |window: &Window| !hidden[window.lines()].contains(&true);
        let windows = windows.iter().copied().filter(is_shown).collect();
        Self {
            starts,
            hidden,
            windows,
            last,
        }
    }
}

/// Hides the lines of a block that a shortened form leaves out: all where it is not known which they are.
fn hide_left_out(shown: &Shown, block: &mut Block, windows: &mut Vec<Window>) {
    match shown {
        Shown::Lines(selection)
            if selection.len() == block.hidden.len() && block.stripped.is_none() =>
        {
            hide(&mut block.hidden, Some(selection.left_out().collect()));
        }
        _ => block.hidden.fill(true),
    }
    windows.retain(|window| !block.hidden[window.lines()].contains(&true));
}

/// Hides the lines that a form may hold in another shape, if there are any.
fn hide(hidden: &mut [bool], in_form: Option<Vec<bool>>) {
    for (hidden, in_form) in hidden.iter_mut().zip(in_form.unwrap_or_default()) {
        *hidden |= in_form;
    }
}

/// Hides the lines that can't be named by their number in the file, from where the count first breaks off. How many are left at the end
/// that can be named as the last ones.
fn hide_unnumbered(lines: &[&str], hidden: &mut [bool]) -> usize {
    let is_mark = |line: &&str| is_mark(line);
    let (Some(first), Some(last)) = (
        lines.iter().position(is_mark),
        lines.iter().rposition(is_mark),
    ) else {
        return 0;
    };
    let behind = lines.len() - last - 1;
    let are_last = is_unnumbered(lines[last]) && behind <= MOST_LAST_LINES;
    let end = if are_last { last + 1 } else { lines.len() };
    hidden[first..end].fill(true);
    lines.len() - end
}

/// The part of a text whose lines its form shows and names: what is in a JSON string that is sent without its escapes, what begins with
/// the line numbers of a file behind lines without, and otherwise all of it.
fn as_read(text: &str) -> Cow<'_, str> {
    let mut read = Cow::Borrowed(text);
    for depth in 0..=wrapper::MAX_DEPTH {
        let Some(wrapped) = Wrapped::split(&read) else {
            break;
        };
        if depth < wrapper::MAX_DEPTH
            && let Some(content) = content_sent_unescaped(&read, &wrapped)
        {
            read = Cow::Owned(content);
            continue;
        }
        let start = wrapped.start();
        if start > 0 && is_numbered_throughout(&read[start..]) {
            return Cow::Owned(read[start..].to_owned());
        }
        break;
    }
    read
}

fn content_sent_unescaped(text: &str, wrapped: &Wrapped<'_>) -> Option<String> {
    let unescaped = wrapped.unescaped()?;
    let form = match strip(&lines(&wrapped.inside)) {
        Some(stripped) => wrapped.with_form(&stripped.text),
        None => unescaped,
    };
    let is_sent = Form::new(form).is_worth_sending(&Text::new(text));
    is_sent.then(|| wrapped.inside.clone().into_owned())
}

/// Whether a text's lines can all be named by the numbers before them.
fn is_numbered_throughout(text: &str) -> bool {
    let stripped = strip(&lines(text.trim_end()));
    stripped.is_some_and(|stripped| stripped.marks == 0 && size::is_cheaper(&stripped))
}

/// A block of lines that the model wrote, without its text and its name.
fn written(lines: &[&str], hidden: Vec<bool>) -> Block {
    Block {
        original: Box::default(),
        label: Box::default(),
        file: None,
        is_from_model: true,
        stripped: None,
        starts: line_starts(lines).into_boxed_slice(),
        hidden: hidden.into_boxed_slice(),
        first: 1,
        last: 0,
    }
}

fn line_starts(lines: &[&str]) -> Vec<u32> {
    let mut starts = Vec::with_capacity(lines.len() + 1);
    let mut next = 0;
    starts.push(0);
    for line in lines {
        next += line.len() + 1;
        starts.extend(u32::try_from(next));
    }
    starts
}
