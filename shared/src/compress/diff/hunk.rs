//! The line at the head of a hunk, and how much of it follows from the lines around it.

use std::fmt::Write as _;

/// What the line begins with where it is shortened.
const SHORT: &str = "@@ +";

/// No hunk is without lines.
const NO_LINES: (u32, u32) = (0, 0);

/// The line at the head of a hunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HunkHeader<'a> {
    pub(super) old: Side,
    pub(super) new: Side,
    /// What stands behind the numbers: the function that the hunk is in.
    context: &'a str,
}

/// The lines of a hunk in one of the two files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Side {
    /// The number of the first line, or of the line before where there is none.
    start: u32,
    count: u32,
}

impl Side {
    /// The place of its first line, or of what would be the first.
    fn first(self) -> i64 {
        i64::from(self.start) + i64::from(self.count == 0)
    }

    fn behind(self) -> i64 {
        self.first() + i64::from(self.count)
    }

    /// Reads `12,3`, or `12` for one line.
    fn read(numbers: &str) -> Option<Self> {
        let (start, count) = numbers.split_once(',').unwrap_or((numbers, "1"));
        let (start, count) = (number(start)?, number(count)?);
        Some(Self { start, count })
    }

    fn write(self, text: &mut String) {
        // Writing to a `String` cannot fail.
        let _ = match self.count {
            1 => write!(text, "{}", self.start),
            count => write!(text, "{},{count}", self.start),
        };
    }
}

impl<'a> HunkHeader<'a> {
    /// Reads the whole line, as git writes it.
    pub(super) fn read_full(line: &'a str) -> Option<Self> {
        let (numbers, context) = line.strip_prefix("@@ -")?.split_once(" @@")?;
        let (old, new) = numbers.split_once(" +")?;
        let header = Self {
            old: Side::read(old)?,
            new: Side::read(new)?,
            context: context_of(context)?,
        };
        let mut full = String::with_capacity(line.len());
        header.write_full(&mut full);
        (full == line).then_some(header)
    }

    /// Reads the short line of a hunk with these counts of lines, which stands so far behind the same place in the old file.
    pub(super) fn read_short(line: &'a str, (old, new): (u32, u32), shift: i64) -> Option<Self> {
        let (start, context) = read_short(line).filter(|_| (old, new) != NO_LINES)?;
        let new = Side { start, count: new };
        let start = new.first().checked_sub(shift)? - i64::from(old == 0);
        let start = u32::try_from(start).ok()?;
        let old = Side { start, count: old };
        Some(Self { old, new, context })
    }

    pub(super) fn write_full(&self, text: &mut String) {
        text.push_str("@@ -");
        self.old.write(text);
        text.push_str(" +");
        self.new.write(text);
        text.push_str(" @@");
        text.push_str(self.context);
    }

    pub(super) fn short(&self) -> String {
        format!("{SHORT}{}{}", self.new.start, self.context)
    }

    /// Whether all that the short line leaves out follows from these counts of lines and this shift.
    pub(super) fn follows_from(&self, counts: (u32, u32), shift: i64) -> bool {
        counts == (self.old.count, self.new.count)
            && counts != NO_LINES
            && self.old.first() + shift == self.new.first()
    }

    /// How far lines behind the hunk stand behind the same lines in the old file.
    pub(super) fn shift_behind(&self) -> i64 {
        self.new.behind() - self.old.behind()
    }
}

/// Whether a line could be the short line of a hunk.
pub(super) fn is_short(line: &str) -> bool {
    read_short(line).is_some()
}

fn read_short(line: &str) -> Option<(u32, &str)> {
    let rest = line.strip_prefix(SHORT)?;
    let (start, context) = rest.split_at(rest.find(' ').unwrap_or(rest.len()));
    Some((number(start)?, context_of(context)?))
}

/// The text behind the numbers, if it can be told from them.
fn context_of(text: &str) -> Option<&str> {
    (text.is_empty() || text.starts_with(' ')).then_some(text)
}

/// A number as git writes it.
fn number(text: &str) -> Option<u32> {
    let is_plain = text == "0" || !text.starts_with(['0', '+']);
    text.parse().ok().filter(|_| is_plain)
}

/// How many lines the hunk has in the old and the new file, whose lines begin here: those up to the first that is of no hunk.
pub(super) fn count_lines<'a>(lines: impl IntoIterator<Item = &'a str>) -> (u32, u32) {
    let (mut old, mut new) = (0_u32, 0_u32);
    for (in_old, in_new) in lines.into_iter().map_while(sides_of) {
        old = old.saturating_add(in_old);
        new = new.saturating_add(in_new);
    }
    (old, new)
}

/// How many of these lines are a hunk's, its head among them, by the counts that the head says; `None` where the first line is no head.
pub(in crate::compress) fn hunk_len(lines: &[&str]) -> Option<usize> {
    let (head, lines) = lines.split_first()?;
    let head = HunkHeader::read_full(head)?;
    let (mut old, mut new) = (head.old.count, head.new.count);
    let mut is_behind_line = false;
    let is_of_hunk = |line: &&&str| {
        let left = sides_of(line).and_then(|(in_old, in_new)| {
            Some((old.checked_sub(in_old)?, new.checked_sub(in_new)?))
        });
        let is_line = left.is_some_and(|left| left != (old, new));
        // What is said of a line stands behind it, once.
        let is_said_of_line = left.is_some() && is_behind_line && line.starts_with("\\ ");
        is_behind_line = is_line;
        (old, new) = left.unwrap_or_default();
        is_line || is_said_of_line
    };
    Some(1 + lines.iter().take_while(is_of_hunk).count())
}

/// How many lines of the old and of the new file a line of a hunk is; `None` where it is of no hunk.
fn sides_of(line: &str) -> Option<(u32, u32)> {
    match line.as_bytes().first()? {
        b' ' => Some((1, 1)),
        b'-' => Some((1, 0)),
        b'+' => Some((0, 1)),
        // "\ No newline at end of file".
        b'\\' => Some((0, 0)),
        _ => None,
    }
}
