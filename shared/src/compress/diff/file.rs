//! The lines that git writes before the hunks of a file, and the line that stands for them.

use crate::compress::{each_line, push_line};

/// What a file's lines begin with, whether or not they are shortened.
pub(super) const BEGINNING: &str = "diff ";

/// The mode that the short line leaves out.
const USUAL_MODE: &str = "100644";

const NEW: &str = "new";
const DELETED: &str = "deleted";

/// What git says of a file before its hunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileHeader<'a> {
    path: &'a str,
    change: Change<'a>,
    mode: &'a str,
}

/// What became of the file, with the hashes of its contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change<'a> {
    Changed(&'a str, &'a str),
    New(&'a str),
    Deleted(&'a str),
}

impl<'a> FileHeader<'a> {
    /// The header with which these lines begin, and how many of them it takes.
    pub(super) fn read_full(lines: &[&'a str]) -> Option<(Self, usize)> {
        let (path, _) = lines
            .first()?
            .strip_prefix("diff --git a/")?
            .split_once(" b/")?;
        let second = *lines.get(1)?;
        let hashes = |line: usize| lines.get(line)?.strip_prefix("index ")?.split_once("..");
        let (change, mode) = if let Some(mode) = second.strip_prefix("new file mode ") {
            (Change::New(hashes(2)?.1), mode)
        } else if let Some(mode) = second.strip_prefix("deleted file mode ") {
            (Change::Deleted(hashes(2)?.0), mode)
        } else {
            let (old, rest) = hashes(1)?;
            let (new, mode) = rest.split_once(' ')?;
            (Change::Changed(old, new), mode)
        };
        let header = Self { path, change, mode }.sound()?;
        let mut full = String::new();
        header.write_full(&mut full);
        // The text ends with a break, behind which one more line begins.
        let count = each_line(&full).count() - 1;
        let is_same = each_line(&full)
            .take(count)
            .eq(lines.iter().take(count).copied());
        is_same.then_some((header, count))
    }

    /// The header for which this line stands.
    pub(super) fn read_short(line: &'a str) -> Option<Self> {
        let mut words = line.strip_prefix(BEGINNING)?.split(' ');
        let (path, what) = (words.next()?, words.next()?);
        let change = match what {
            NEW => Change::New(words.next()?),
            DELETED => Change::Deleted(words.next()?),
            hashes => {
                let (old, new) = hashes.split_once("..")?;
                Change::Changed(old, new)
            }
        };
        let mode = words.next();
        let is_whole = mode != Some(USUAL_MODE) && words.next().is_none();
        let mode = mode.unwrap_or(USUAL_MODE);
        Self { path, change, mode }.sound().filter(|_| is_whole)
    }

    /// The same, if it may be written in one line and read again.
    fn sound(self) -> Option<Self> {
        let hashes = match self.change {
            Change::Changed(old, new) => [old, new],
            Change::New(hash) | Change::Deleted(hash) => [hash, hash],
        };
        let is_path = !self.path.is_empty() && !self.path.contains(char::is_whitespace);
        let is_mode = self.mode.len() == USUAL_MODE.len()
            && self.mode.bytes().all(|byte| byte.is_ascii_digit());
        (is_path && is_mode && hashes.into_iter().all(is_hash)).then_some(self)
    }

    /// Appends git's lines.
    pub(super) fn write_full(&self, text: &mut String) {
        let Self { path, change, mode } = *self;
        push_line(text, &["diff --git a/", path, " b/", path]);
        match change {
            Change::Changed(old, new) => {
                push_line(text, &["index ", old, "..", new, " ", mode]);
            }
            Change::New(hash) => {
                push_line(text, &["new file mode ", mode]);
                push_line(text, &["index ", &"0".repeat(hash.len()), "..", hash]);
            }
            Change::Deleted(hash) => {
                push_line(text, &["deleted file mode ", mode]);
                push_line(text, &["index ", hash, "..", &"0".repeat(hash.len())]);
            }
        }
        match change {
            Change::New(_) => push_line(text, &["--- /dev/null"]),
            _ => push_line(text, &["--- a/", path]),
        }
        match change {
            Change::Deleted(_) => push_line(text, &["+++ /dev/null"]),
            _ => push_line(text, &["+++ b/", path]),
        }
    }

    /// The line that stands for git's.
    pub(super) fn short(&self) -> String {
        let Self { path, change, mode } = *self;
        let change = match change {
            Change::Changed(old, new) => format!("{old}..{new}"),
            Change::New(hash) => format!("{NEW} {hash}"),
            Change::Deleted(hash) => format!("{DELETED} {hash}"),
        };
        match mode {
            USUAL_MODE => format!("{BEGINNING}{path} {change}"),
            mode => format!("{BEGINNING}{path} {change} {mode}"),
        }
    }
}

/// Whether a word may be the hash of a file's content, in full or abbreviated.
fn is_hash(word: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (4..=64).contains(&word.len()) && word.bytes().all(is_digit)
}
