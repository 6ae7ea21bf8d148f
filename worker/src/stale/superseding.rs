//! Which reads of a file a later one shows again.

use std::collections::HashMap;

use headroom_shared::compress::Call;
use headroom_shared::contract::job::JobBlock;

/// So many reads of a file that do not show the same are compared with its earlier ones.
const MAX_PARTS: usize = 64;

/// For each read, by its position, the last later read of the same file that shows all of its lines.
pub(super) fn superseding(blocks: &[JobBlock], calls: &[Call]) -> HashMap<usize, usize> {
    let mut reads: HashMap<&str, Vec<(usize, Lines)>> = HashMap::new();
    for (at, call) in calls.iter().enumerate() {
        if let Some(file) = call.file_read() {
            let lines = Lines::of(&blocks[at].text, call);
            reads.entry(file).or_default().push((at, lines));
        }
    }
    let mut superseding = HashMap::new();
    for of_file in reads.values() {
        // The last ones that no other one covers: a file that is read in parts has few that are distinct.
        let mut last: Vec<(usize, Lines)> = Vec::new();
        for (at, lines) in of_file.iter().rev() {
            match last.iter().find(|(_, later)| later.cover(*lines)) {
                Some((later, _)) => _ = superseding.insert(*at, *later),
                None if last.len() < MAX_PARTS => last.push((*at, *lines)),
                None => {}
            }
        }
    }
    superseding
}

/// Which lines of a file a read shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lines {
    /// Whether it asked for the file and not for a part of it.
    asks_all: bool,
    /// The numbers of the first and the last one, where they have any.
    numbers: Option<(u64, u64)>,
    /// Bytes of the text.
    bytes: usize,
}

impl Lines {
    fn of(text: &str, call: &Call) -> Self {
        let first = text.lines().find_map(number);
        let last = text.lines().rev().find_map(number);
        Self {
            asks_all: !call.reads_part(),
            numbers: first.zip(last),
            bytes: text.len(),
        }
    }

    /// Whether all lines of an earlier read are among them, as far as the file still has them. An answer that is much shorter says something
    /// else than what the file holds.
    fn cover(self, earlier: Self) -> bool {
        let has_numbers = || {
            let ((from, to), (first, last)) = self.numbers.zip(earlier.numbers)?;
            Some(from <= first && last <= to)
        };
        let are_alike =
            self.numbers.is_some() == earlier.numbers.is_some() && self.bytes >= earlier.bytes / 2;
        self.asks_all && earlier.asks_all && are_alike || has_numbers().unwrap_or(false)
    }
}

/// The number that a line of a read begins with: `   12→` or `12⇥`.
fn number(line: &str) -> Option<u64> {
    let line = line.trim_start_matches(' ');
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = line.split_at(digits);
    rest.starts_with(['→', '\t']).then(|| number.parse().ok())?
}
