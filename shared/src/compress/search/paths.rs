//! Finds the files that a text has search results of.

use foldhash::HashMap;
use memchr::{memchr_iter, memchr3};

use crate::compress::Deadline;

/// How many places in a line are tried as the end of a path.
const MAX_TRIES: usize = 8;

/// How many folders of a path are tried as the root.
const MAX_FOLDERS: usize = 16;

/// How many paths are tried in search of the root.
const MAX_ROOT_TRIES: usize = 64;

/// What a text has results of, if these are indeed files.
#[derive(Debug, Default)]
pub(in crate::compress) struct Paths<'a> {
    files: HashMap<&'a str, Seen>,
    root: &'a str,
    has_surroundings: bool,
}

/// How many lines a path appears in.
#[derive(Debug, Default)]
struct Seen {
    /// As a match with its line number.
    numbered: usize,
    /// Without a number, or as a line around a match.
    others: usize,
}

impl Seen {
    /// One line that begins like `path:text` may be anything; several are results.
    fn is_file(&self) -> bool {
        self.numbered > 0 || self.others > 1
    }

    fn add(&mut self, other: &Self) {
        self.numbered += other.numbered;
        self.others += other.others;
    }
}

impl<'a> Paths<'a> {
    /// Those of a text, given as a whole and as its lines.
    pub(in crate::compress) fn of(whole: &str, lines: &[&'a str], deadline: Deadline) -> Self {
        let has_surroundings = may_have_surroundings(whole);
        let mut paths: HashMap<&str, Seen> = HashMap::default();
        for line in deadline.limit(lines.iter().copied()) {
            match split_path(line) {
                Some((path, rest)) if numbered_by(rest, b':') => {
                    paths.entry(path).or_default().numbered += 1;
                }
                Some((path, _)) if path.contains('/') => paths.entry(path).or_default().others += 1,
                _ => {}
            }
            if has_surroundings {
                for (path, _) in surroundings(line).filter(|(path, _)| names_a_file(path)) {
                    paths.entry(path).or_default().others += 1;
                }
            }
        }
        if paths.is_empty() {
            return Self::default();
        }
        let root = match has_surroundings {
            true => find_root(lines, &paths),
            false => "",
        };
        let mut files = HashMap::default();
        for (path, seen) in paths {
            let file = path.strip_prefix(root).unwrap_or(path);
            let entry: &mut Seen = files.entry(file).or_default();
            entry.add(&seen);
        }
        Self {
            files,
            root,
            has_surroundings,
        }
    }

    /// Whether there is no path at all.
    pub(super) fn are_none(&self) -> bool {
        self.files.is_empty()
    }

    /// What the paths of surroundings begin with where those of matches do not; empty if they are the same.
    pub(super) fn root(&self) -> &'a str {
        self.root
    }

    /// The path of a result and the text after the separator; of a result without a number the separator too.
    pub(super) fn split<'t>(&self, line: &'t str) -> Option<(&'t str, &'t str)> {
        if let Some((path, rest)) = split_path(line)
            && let Some(seen) = self.files.get(path)
        {
            if numbered_by(rest, b':') {
                return Some((path, rest));
            }
            if seen.is_file() && path.contains('/') {
                return Some((path, &line[path.len()..]));
            }
        }
        if !self.has_surroundings {
            return None;
        }
        surroundings(line).find_map(|(path, rest)| {
            let path = path.strip_prefix(self.root)?;
            let seen = self.files.get(path)?;
            seen.is_file().then_some((path, rest))
        })
    }

    /// The folder that all paths are in, with its last `/`; empty where saying it would save nothing.
    pub(super) fn common_folder(&self) -> &'a str {
        let files = self.files.iter().filter(|(_, seen)| seen.is_file());
        let mut paths = files.map(|(path, _)| *path);
        let Some(first) = paths.next() else {
            return "";
        };
        let mut others = paths.peekable();
        if others.peek().is_none() {
            return "";
        }
        let common = others.fold(first.len(), |common, path| {
            let bytes = first.bytes().zip(path.bytes()).take(common);
            bytes.take_while(|(a, b)| a == b).count()
        });
        let folder = first.as_bytes()[..common].iter().rposition(|b| *b == b'/');
        match folder {
            Some(at) => &first[..=at],
            None => "",
        }
    }
}

/// Some tools shorten the paths of matches to the working folder but not those of their surroundings: this is that folder, with
/// its last `/`, as the first line tells it that can.
fn find_root<'a>(lines: &[&'a str], paths: &HashMap<&str, Seen>) -> &'a str {
    let is_match = |path: &str| paths.get(path).is_some_and(|seen| seen.numbered > 0);
    let lines = lines.iter().copied().flat_map(surroundings);
    let absolute = lines.filter(|(path, _)| path.starts_with('/') && names_a_file(path));
    absolute
        .take(MAX_ROOT_TRIES)
        .take_while(|(path, _)| !is_match(path))
        .find_map(|(path, _)| {
            let folders = path.match_indices('/').take(MAX_FOLDERS);
            let mut ends = folders.map(|(at, _)| at + 1);
            ends.find(|end| is_match(&path[*end..]))
                .map(|end| &path[..end])
        })
        .unwrap_or("")
}

/// A line up to its first colon, if that looks like a path, and the rest of it.
fn split_path(line: &str) -> Option<(&str, &str)> {
    let drive = line.as_bytes().get(1..3) == Some(b":\\");
    let from = if drive { 2 } else { 0 };
    // Prose and code have a space after a few bytes.
    let is_end = |byte| matches!(byte, b':' | b' ' | b'\t'..=b'\r');
    let mut bytes = line.bytes().enumerate();
    let (end, byte) = bytes.find(|(at, byte)| is_end(*byte) && (*byte != b':' || *at >= from))?;
    if byte != b':' {
        return None;
    }
    let path = &line[..end];
    let is_one_word = path.is_ascii() || !path.contains(char::is_whitespace);
    let like_a_path = is_one_word
        && memchr3(b'/', b'.', b'\\', path.as_bytes()).is_some()
        && path.contains(char::is_alphabetic);
    like_a_path.then(|| (path, &line[end + 1..]))
}

/// The ways to read a line as `path-line-text`: a path may itself hold such numbers.
fn surroundings(line: &str) -> impl Iterator<Item = (&str, &str)> {
    split_at_dashes(line)
        .take(MAX_TRIES)
        .filter(|(_, rest)| numbered_by(rest, b'-'))
}

/// Whether any line of a text may be read so: most texts have none.
fn may_have_surroundings(text: &str) -> bool {
    split_at_dashes(text).any(|(_, rest)| numbered_by(rest, b'-'))
}

fn split_at_dashes(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let dashes = memchr_iter(b'-', text.as_bytes());
    dashes.map(|at| (&text[..at], &text[at + 1..]))
}

/// Whether a path, met only before surroundings, has folders and a file's ending.
fn names_a_file(path: &str) -> bool {
    let file = path.rsplit_once('/').map(|(_, file)| file);
    file.is_some_and(|file| file.contains('.')) && !path.contains(char::is_whitespace)
}

/// Whether a text begins with a number and then `separator`.
fn numbered_by(text: &str, separator: u8) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    digits > 0 && text.as_bytes().get(digits) == Some(&separator)
}
