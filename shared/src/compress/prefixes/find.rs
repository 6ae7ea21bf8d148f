//! Which beginnings of paths in a text are worth a sign.

use foldhash::HashMap;
use memchr::memmem;

use super::paths::{beginnings, folder, paths};
use crate::compress::references::mark::is_mark;
use crate::compress::tokens::{Tokens, estimate};
use crate::compress::{Deadline, OPENING};

/// The signs, of which a text must not have those that are used.
pub(super) const SIGNS: [char; 3] = ['§', '¶', '†'];

/// What a sign costs.
const SIGN: Tokens = Tokens::whole(1);

/// What a beginning must save beyond being said once.
const MIN_GAIN: Tokens = Tokens::whole(12);

/// The beginnings that are worth a sign, each with its sign.
#[derive(Debug)]
pub(in crate::compress) struct Beginnings<'a>(Vec<(char, &'a str)>);

impl<'a> Beginnings<'a> {
    /// Those of a text with these lines, if it has any that are worth it. Differences between files have none.
    pub(in crate::compress) fn of(
        text: &str,
        lines: &[&'a str],
        deadline: Deadline,
    ) -> Option<Self> {
        if is_difference(text) {
            return None;
        }
        let mut uses = Uses::of(lines, deadline);
        let is_free = |sign: &char| places(text, *sign).next().is_none();
        let mut signs = SIGNS.into_iter().filter(is_free);
        let mut found = Vec::new();
        // Whether a sign is free takes a pass over the text, so it is looked at last.
        while let Some(best) = uses.best()
            && let Some(sign) = signs.next()
        {
            uses.remove(best);
            found.push((sign, best));
        }
        (!found.is_empty()).then_some(Self(found))
    }

    /// Each sign with what it stands for.
    pub(super) fn iter(&self) -> impl Iterator<Item = &(char, &'a str)> {
        self.0.iter()
    }

    /// Whether a line has one of them.
    pub(super) fn are_in(&self, line: &str) -> bool {
        may_be_changed(line) && paths(line).any(|(_, path)| self.prefix_of(path).is_some())
    }

    fn prefix_of(&self, path: &str) -> Option<(char, usize)> {
        let mut found = self.0.iter();
        let found = found.find(|(_, prefix)| is_below(path, prefix))?;
        Some((found.0, found.1.len()))
    }

    /// Appends a line with the signs in it.
    pub(super) fn write(&self, body: &mut String, line: &str) {
        let mut written = 0;
        for (start, path) in paths(line).filter(|_| may_be_changed(line)) {
            if let Some((sign, len)) = self.prefix_of(path) {
                body.push_str(&line[written..start]);
                body.push(sign);
                written = start + len;
            }
        }
        body.push_str(&line[written..]);
    }
}

/// The folders that the paths of a text without a sign are in, each with the number of those paths, and in how many paths each beginning
/// stands.
struct Uses<'a> {
    folders: HashMap<&'a str, usize>,
    counts: HashMap<&'a str, usize>,
}

impl<'a> Uses<'a> {
    fn of(lines: &[&'a str], deadline: Deadline) -> Self {
        let lines = deadline.limit(lines.iter().copied());
        let changed = lines.filter(|line| may_be_changed(line));
        let mut folders: HashMap<&str, usize> = HashMap::default();
        for folder in changed.flat_map(paths).filter_map(|(_, path)| folder(path)) {
            *folders.entry(folder).or_default() += 1;
        }
        let mut counts: HashMap<&str, usize> = HashMap::default();
        for (folder, paths) in &folders {
            for beginning in beginnings(folder) {
                *counts.entry(beginning).or_default() += paths;
            }
        }
        Self { folders, counts }
    }

    /// The beginning that saves most, if one is worth a sign.
    fn best(&self) -> Option<&'a str> {
        let gain = |prefix: &str, count: usize| {
            let said = estimate(prefix);
            let saved = said.saturating_sub(SIGN) * count;
            (saved >= said + MIN_GAIN).then(|| saved.saturating_sub(said))
        };
        let counts = self.counts.iter().filter(|(_, count)| **count > 1);
        let gains = counts.filter_map(|(prefix, count)| Some((gain(prefix, *count)?, *prefix)));
        // Of those that save the same, the longer and then the later one in the alphabet: the order in the table is none.
        let best = gains.max_by_key(|(gain, prefix)| (*gain, prefix.len(), *prefix))?;
        Some(best.1)
    }

    /// Leaves out the paths that begin so.
    fn remove(&mut self, prefix: &str) {
        let counts = &mut self.counts;
        self.folders.retain(|folder, paths| {
            let is_removed = *folder == prefix || is_below(folder, prefix);
            for beginning in beginnings(folder).filter(|_| is_removed) {
                if let Some(count) = counts.get_mut(beginning) {
                    *count -= *paths;
                }
            }
            !is_removed
        });
    }
}

fn is_below(path: &str, prefix: &str) -> bool {
    let rest = path.strip_prefix(prefix);
    rest.is_some_and(|rest| rest.starts_with('/'))
}

/// Whether a line is neither a header nor a reference.
fn may_be_changed(line: &str) -> bool {
    !line.starts_with(OPENING) && !is_mark(line)
}

/// The places in a text where a sign stands.
pub(super) fn places(text: &str, sign: char) -> impl Iterator<Item = usize> {
    let mut bytes = [0; 4];
    let finder = memmem::Finder::new(sign.encode_utf8(&mut bytes)).into_owned();
    let mut from = 0;
    std::iter::from_fn(move || {
        let at = from + finder.find(text.as_bytes().get(from..)?)?;
        from = at + finder.needle().len();
        Some(at)
    })
}

/// Whether a text shows what has changed in files.
fn is_difference(text: &str) -> bool {
    text.starts_with("@@ ") || memmem::find(text.as_bytes(), b"\n@@ ").is_some()
}
