//! Which reads of a file a later one shows again.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use headroom_shared::compress::Call;
use headroom_shared::contract::job::JobBlock;

/// So many reads of a file that do not show the same are compared with its earlier ones.
const MAX_PARTS: usize = 64;

/// A later read whose numbers do not prove it must show one of so many lines of the earlier one: otherwise it says something else than what
/// the file holds, or the lines have moved out of what it shows.
const SHOWN_SHARE: usize = 2;

/// What Codex says before an output whose middle is left out, within the first of so many lines.
const TOTAL_LINES: &str = "Total output lines: ";
const MAX_BEFORE: usize = 8;

/// What stands in place of the middle, behind a number and a unit.
const TRUNCATED: &str = " truncated";
const UNITS: [&str; 5] = [" bytes", " characters", " chars", " lines", " tokens"];

/// For each read, by its position, the last later read of the same file that shows it again.
pub(super) fn superseding(blocks: &[JobBlock], calls: &[Call]) -> HashMap<usize, usize> {
    let mut reads: HashMap<&str, Vec<(usize, Read<'_>)>> = HashMap::new();
    for (at, call) in calls.iter().enumerate() {
        if let Some(place) = call.place_read() {
            let read = Read::of(&blocks[at].text, call);
            reads.entry(place).or_default().push((at, read));
        }
    }
    let mut superseding = HashMap::new();
    for of_file in reads.values() {
        // The last ones that no other one covers: a file that is read in parts has few that are distinct.
        let mut last: Vec<(usize, &Read<'_>)> = Vec::new();
        for (at, read) in of_file.iter().rev() {
            match last.iter().find(|(_, later)| later.shows_again(read)) {
                Some((later, _)) => _ = superseding.insert(*at, *later),
                None if last.len() < MAX_PARTS => last.push((*at, read)),
                None => {}
            }
        }
    }
    superseding
}

/// What a read shows of a file.
#[derive(Debug)]
struct Read<'a> {
    text: &'a str,
    /// Whether it asked for the file and not for a part of it.
    asks_all: bool,
    /// Whether the client has left out lines in its middle.
    is_cut: bool,
    /// The numbers of the first and the last line, where they are numbered one after the other.
    numbers: Option<(u64, u64)>,
    /// Its lines without their numbers, once they are needed.
    lines: OnceCell<HashSet<&'a str>>,
}

impl<'a> Read<'a> {
    fn of(text: &'a str, call: &Call) -> Self {
        Self {
            text,
            asks_all: !call.reads_part(),
            is_cut: is_cut(text),
            numbers: numbers(text),
            lines: OnceCell::new(),
        }
    }

    /// Whether it shows the file where an earlier read did: by the numbers of its lines where it asked for the whole file, otherwise by half
    /// of the earlier one's lines too.
    fn shows_again(&self, earlier: &Read<'_>) -> bool {
        if self.is_cut {
            return false;
        }
        let has_numbers = || {
            let ((from, to), (first, last)) = self.numbers.zip(earlier.numbers)?;
            Some(from <= first && last <= to)
        };
        let has_numbers = has_numbers().unwrap_or(false);
        // An answer that is much shorter says something else than what the file holds.
        let are_alike = || {
            self.numbers.is_some() == earlier.numbers.is_some()
                && self.text.len() >= earlier.text.len() / 2
        };
        if self.asks_all && has_numbers {
            return true;
        }
        let may_show = has_numbers || self.asks_all && earlier.asks_all && are_alike();
        may_show && self.shows_lines_of(earlier)
    }

    /// Whether enough lines of an earlier read are among its own.
    fn shows_lines_of(&self, earlier: &Read<'_>) -> bool {
        let own = self.lines.get_or_init(|| contents(self.text).collect());
        let (mut shown, mut all) = (0, 0);
        for line in contents(earlier.text) {
            all += 1;
            shown += usize::from(own.contains(line));
        }
        shown * SHOWN_SHARE >= all
    }
}

/// Whether a client has left out the middle of an output, and says so: Codex, by a line before the output or a mark within it, as
/// `…1234 tokens truncated…`; Claude Code by one as `... [1234 characters truncated] ...`.
fn is_cut(text: &str) -> bool {
    let says = |line: &str| {
        let before = line.split_once(TRUNCATED).map(|(before, _)| before);
        let number =
            before.and_then(|it| it.strip_suffix(UNITS.iter().find(|unit| it.ends_with(**unit))?));
        number.is_some_and(|it| it.ends_with(|c: char| c.is_ascii_digit()))
    };
    let first = text
        .lines()
        .take(MAX_BEFORE)
        .any(|line| line.starts_with(TOTAL_LINES));
    first || text.lines().any(says)
}

/// The lines of a read that are not empty, without their numbers and the white space around them.
fn contents(text: &str) -> impl Iterator<Item = &str> {
    let content = |line| numbered(line).map_or(line, |(_, content)| content).trim();
    text.lines().map(content).filter(|line| !line.is_empty())
}

/// The numbers of the first and the last numbered line; `None` where there is none, or they do not follow each other.
fn numbers(text: &str) -> Option<(u64, u64)> {
    let mut numbers = text.lines().filter_map(numbered).map(|(number, _)| number);
    let first = numbers.next()?;
    let last = numbers.try_fold(first, |before, number| {
        (Some(number) == before.checked_add(1)).then_some(number)
    });
    last.map(|last| (first, last))
}

/// The number that a line of a read begins with, `   12→` or `12⇥`, and what stands behind it.
fn numbered(line: &str) -> Option<(u64, &str)> {
    let line = line.trim_start_matches(' ');
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = line.split_at(digits);
    let content = rest.strip_prefix(['→', '\t'])?;
    Some((number.parse().ok()?, content))
}

#[cfg(test)]
mod tests {
    use headroom_shared::contract::id::BlockId;
    use headroom_shared::contract::job::Place;

    use super::*;

    fn block(at: u8, text: &str, command: &str, folder: Option<&str>) -> JobBlock {
        JobBlock {
            place: Place {
                message: u32::from(at),
                part: 0,
                inner: 0,
            },
            turn: u32::from(at),
            block: BlockId::from_bytes([at; 16]),
            text: text.to_owned(),
            tool: Some("exec_command".to_owned()),
            input: Some(serde_json::json!({"cmd": command, "workdir": folder}).to_string()),
            calls: Vec::new(),
        }
    }

    fn superseding_of_blocks(blocks: &[JobBlock]) -> HashMap<usize, usize> {
        let call = |block: &JobBlock| Call::of(block.tool.as_deref(), block.input.as_deref());
        let calls: Vec<Call> = blocks.iter().map(call).collect();
        superseding(blocks, &calls)
    }

    /// For each of these commands, each with the folder that it is run in, the one that shows its output again.
    fn superseding_of(commands: &[(&str, Option<&str>)]) -> HashMap<usize, usize> {
        let text = "[package]\nname = \"a\"\n";
        let blocks = (0..).zip(commands);
        let blocks = blocks.map(|(at, (command, folder))| block(at, text, command, *folder));
        superseding_of_blocks(&blocks.collect::<Vec<_>>())
    }

    #[test]
    fn an_output_whose_middle_the_client_left_out_shows_no_earlier_one_again() {
        let file: String = (0..400)
            .map(|n| format!("line {n} of the file\n"))
            .collect();
        let read = |text: &str| superseding_of_texts(&[&file, text]).contains_key(&0);
        assert!(read(&file));
        let (head, tail) = (&file[..file.len() / 3], &file[file.len() / 2..]);
        for cut in [
            format!("{head}…512 tokens truncated…{tail}"),
            format!("Exit code: 0\nTotal output lines: 400\nOutput:\n{head}{tail}"),
            format!("{head}\n\n... [66 lines truncated] ...\n\n{tail}"),
            format!("{head} ... [900 characters truncated] ... {tail}"),
        ] {
            assert!(!read(&cut), "{cut}");
        }
        assert!(read(&format!(
            "{file}the list is truncated, too many tokens truncated\n"
        )));
    }

    /// The same for reads of one file with these outputs.
    fn superseding_of_texts(texts: &[&str]) -> HashMap<usize, usize> {
        let blocks: Vec<JobBlock> = (0..)
            .zip(texts)
            .map(|(at, text)| block(at, text, "cat a", Some("/r")))
            .collect();
        superseding_of_blocks(&blocks)
    }

    #[test]
    fn a_file_of_another_folder_is_another_file() {
        let read = "cat Cargo.toml";
        let of = |first, second| superseding_of(&[first, second]).get(&0).copied();
        assert_eq!(of((read, Some("/r/a")), (read, Some("/r/a"))), Some(1));
        assert_eq!(of((read, Some("/r/a")), (read, Some("/r/b"))), None);
        let (in_a, in_b) = ("cd /r/a && cat Cargo.toml", "cd /r/b && cat Cargo.toml");
        assert_eq!(of((in_a, None), (read, Some("/r/a"))), Some(1));
        assert_eq!(of((in_a, None), (in_b, None)), None);
        assert_eq!(of((read, None), (read, None)), None);
    }
}
