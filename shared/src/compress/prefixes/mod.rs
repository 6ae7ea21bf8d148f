//! Says once what many paths and addresses of a text begin with, and writes a sign for it.
//!
//! ```text
//! [headroom: § = https://api.github.com/repos/some/project]
//! {"url":"§/pulls/1","comments_url":"§/issues/1/comments"}
//! ```
//!
//! A beginning ends before a slash. What a file holds is left as it is, and so are differences between files: an agent quotes them to the
//! letter.

mod paths;

use std::borrow::Cow;

use foldhash::HashMap;
use memchr::memmem;

use super::references::mark::is_mark;
use super::text::Text;
use super::tokens::{Tokens, estimate};
use super::{Compressor, Context, Deadline, Earlier, MAX_EXPANDED_BYTES, OPENING, with_header};
use paths::{beginnings, folder, paths};

/// The signs, of which a text must not have those that are used.
const SIGNS: [char; 3] = ['§', '¶', '†'];

const IS: &str = " = ";
const NEXT: &str = ", ";

/// What a sign costs.
const SIGN: Tokens = Tokens::whole(1);

/// What a beginning must save beyond being said once.
const MIN_GAIN: Tokens = Tokens::whole(12);

pub(super) struct Prefixes;

impl Compressor for Prefixes {
    fn compress(&self, text: &Text<'_>, context: Context<'_>) -> Option<String> {
        let found = text.prefixes(context)?;
        let mut body = String::with_capacity(text.whole.len());
        for line in context.earlier.deadline.limit(text.lines()) {
            found.write(&mut body, line);
            body.push('\n');
        }
        body.pop();
        let said = found.0.iter();
        let said: Vec<String> = said
            .map(|(sign, prefix)| format!("{sign}{IS}{prefix}"))
            .collect();
        Some(with_header(&said.join(NEXT), &body))
    }

    fn expand(&self, header: &str, body: &str, _: &Earlier) -> Option<String> {
        let mut text = Cow::Borrowed(body);
        for said in header.split(NEXT) {
            let (sign, prefix) = said.split_once(IS)?;
            let sign = SIGNS.into_iter().find(|known| sign == known.to_string())?;
            text = Cow::Owned(with_prefix(&text, sign, prefix)?);
        }
        Some(text.into_owned())
    }
}

/// The text with the prefix in place of its sign.
fn with_prefix(text: &str, sign: char, prefix: &str) -> Option<String> {
    let places: Vec<usize> = find(text, sign).collect();
    let added = places.len().checked_mul(prefix.len())?;
    if added > MAX_EXPANDED_BYTES {
        return None;
    }
    let mut expanded = String::with_capacity(text.len() + added);
    let mut written = 0;
    for at in places {
        expanded.push_str(&text[written..at]);
        expanded.push_str(prefix);
        written = at + sign.len_utf8();
    }
    expanded.push_str(&text[written..]);
    Some(expanded)
}

/// The places where a sign stands.
fn find(text: &str, sign: char) -> impl Iterator<Item = usize> {
    let mut bytes = [0; 4];
    let finder = memmem::Finder::new(sign.encode_utf8(&mut bytes)).into_owned();
    let mut from = 0;
    std::iter::from_fn(move || {
        let at = from + finder.find(text.as_bytes().get(from..)?)?;
        from = at + finder.needle().len();
        Some(at)
    })
}

/// Which lines of a text its form would hold with a sign in them; `None` where it has no form.
pub(super) fn hidden(text: &Text<'_>, context: Context<'_>) -> Option<Vec<bool>> {
    let found = text.prefixes(context)?;
    Some(text.lines().iter().map(|line| found.are_in(line)).collect())
}

/// The beginnings that are worth a sign, each with its sign.
#[derive(Debug)]
pub(super) struct Found<'a>(Vec<(char, &'a str)>);

impl<'a> Found<'a> {
    /// Those of a text, if it has any.
    pub(super) fn of(text: &Text<'a>, context: Context<'_>) -> Option<Self> {
        if context.call.reads_file || is_difference(text.whole) {
            return None;
        }
        let mut uses = Uses::of(text.lines(), context.earlier.deadline);
        let is_free = |sign: &char| find(text.whole, *sign).next().is_none();
        let mut signs = SIGNS.into_iter().filter(is_free);
        let mut found = Vec::new();
        // Whether a sign is free takes a pass over the text, so it is looked at last.
        while let Some(best) = uses.best()
            && let Some(sign) = signs.next()
        {
            uses.remove(best);
            found.push((sign, best));
        }
        let is_found = !found.is_empty();
        // It takes a pass over the text, so it is looked at last.
        (is_found && text.without_numbers().is_none()).then_some(Self(found))
    }

    /// Whether a line has one of them.
    fn are_in(&self, line: &str) -> bool {
        may_be_changed(line) && paths(line).any(|(_, path)| self.prefix_of(path).is_some())
    }

    fn prefix_of(&self, path: &str) -> Option<(char, usize)> {
        let mut found = self.0.iter();
        let found = found.find(|(_, prefix)| is_below(path, prefix))?;
        Some((found.0, found.1.len()))
    }

    /// Appends a line with the signs in it.
    fn write(&self, body: &mut String, line: &str) {
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

/// Whether a text shows what has changed in files.
fn is_difference(text: &str) -> bool {
    text.starts_with("@@ ") || memmem::find(text.as_bytes(), b"\n@@ ").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compress::testing::round_trip;

    fn form(text: &str) -> String {
        round_trip(&Prefixes, text).unwrap()
    }

    #[test]
    fn what_addresses_begin_with_is_said_once() {
        let link = |n: usize| {
            format!("\"url_{n}\":\"https://api.example.com/repos/some/project/pulls/{n}\"")
        };
        let links: Vec<String> = (0..9).map(link).collect();
        let form = form(&format!("{{{}}}", links.join(",")));
        assert!(
            form.starts_with("[headroom: § = https://api.example.com/repos/some/project/pulls]\n{\"url_0\":\"§/0\","),
            "{form}"
        );
    }

    #[test]
    fn several_beginnings_have_signs_of_their_own() {
        let line = |n: usize| {
            format!("/srv/work/app/src/{n}.rs needs /usr/share/lib/things/{n}/data, not src/{n}\n")
        };
        let form = form(&(0..9).map(line).collect::<String>());
        let header = form.lines().next().unwrap();
        assert!(
            header.contains("= /srv/work/app/src") && header.contains("= /usr/share/lib/things"),
            "{header}"
        );
        assert!(
            form.contains("/0.rs needs ") && form.ends_with("/8/data, not src/8\n"),
            "{form}"
        );
    }

    #[test]
    fn a_sign_that_stands_in_the_text_is_not_used() {
        let line = |n: usize| format!("§ {n}: /srv/work/app/src/{n}.rs\n");
        let form = form(&(0..9).map(line).collect::<String>());
        assert!(
            form.starts_with("[headroom: ¶ = /srv/work/app/src]\n§ 0: ¶/0.rs\n"),
            "{form}"
        );
        let all: String = SIGNS.iter().collect();
        let line = |n: usize| format!("{all} {n}: /srv/work/app/src/{n}.rs\n");
        assert_eq!(
            round_trip(&Prefixes, &(0..9).map(line).collect::<String>()),
            None
        );
    }

    #[test]
    fn what_saves_nothing_is_left() {
        for text in [
            "",
            "/",
            "a/b\na/b\n",
            "/srv/work/app/src/a\n/srv/work/app/src/b",
            "no path at all\n",
        ] {
            assert_eq!(round_trip(&Prefixes, text), None, "{text}");
        }
        let line = |n: usize| format!("+use /srv/work/app/src/{n}.rs\n");
        for hunk in ["@@ -1,9 +1,9 @@", "@@ +1"] {
            let difference = format!("{hunk}\n{}", (0..9).map(line).collect::<String>());
            assert_eq!(round_trip(&Prefixes, &difference), None);
        }
    }

    #[test]
    fn a_damaged_form_expands_to_nothing() {
        let expand = |header: &str| Prefixes.expand(header, "§/a", &Earlier::default());
        assert_eq!(expand("§ = /srv").as_deref(), Some("/srv/a"));
        assert_eq!(expand("§ /srv"), None);
        assert_eq!(expand("x = /srv"), None);
    }
}
