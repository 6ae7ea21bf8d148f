//! How much room there is, and what to do where there is none: decisions alone.
//!
//! redb grows its file by doubling it, and within the file an entry of more than a page takes a block of a power of two of pages. A file
//! that may not double any more is made as long as it may be, once; then the entries that were used longest ago make room for new ones.

use std::collections::BinaryHeap;

/// The size of redb's pages in bytes.
const PAGE: u64 = 4096;
/// What redb adds to a value in its block, in bytes, and more: the key and where they end.
const BLOCK_OVERHEAD: u64 = 64;
/// How many pages stay free in a file that may not grow, so that a commit and a step of an eviction find the pages they write: 1 MiB.
pub(super) const RESERVE_PAGES: u64 = 256;
/// The same in bytes.
pub(super) const RESERVE_BYTES: u64 = RESERVE_PAGES * PAGE;
/// How many of them a step of an eviction leaves to its commit.
pub(super) const COMMIT_PAGES: u64 = 32;
/// Room is made as soon as fewer pages than these are free, so that few writes wait for it.
pub(super) const AMPLE_PAGES: u64 = 2 * RESERVE_PAGES;
/// The same in bytes.
pub(super) const AMPLE_BYTES: u64 = AMPLE_PAGES * PAGE;
/// How many entries one step of a sweep or an eviction deletes at most. Each may take a new page or
/// two for what stays of its neighbours.
pub(super) const MAX_DELETED_IN_STEP: usize = 64;
/// Part of the entries that are deleted when there is no room left.
const DELETED_SHARE: u64 = 16;
/// How many entries one eviction deletes at most. It holds as many times in memory, of 8 bytes each.
const MAX_DELETED: u64 = 1 << 16;
/// An entry takes at most this part of the largest size of the file. Then a file that can't double has room for it, once it is empty.
const LARGEST_SHARE: u64 = 8;
/// Less free space than this is not worth a compaction.
const MIN_GAIN: u64 = 8 << 20;
/// Nor is less than this part of the file.
const GAIN_SHARE: u64 = 4;

/// How many bytes a value of this length takes in the file. Small ones share pages, of which half may be empty.
pub(super) fn block(value: usize) -> u64 {
    let bytes = u64::try_from(value)
        .unwrap_or(u64::MAX)
        .saturating_add(BLOCK_OVERHEAD);
    if bytes <= PAGE / 2 {
        return 2 * bytes;
    }
    let pages = bytes.max(PAGE).checked_next_power_of_two();
    pages.unwrap_or(u64::MAX)
}

/// How large the block of an entry may be, in a file of at most so many bytes.
pub(super) const fn largest_block(max_bytes: u64) -> u64 {
    max_bytes / LARGEST_SHARE
}

/// Whether a file of this length may grow, in bytes.
pub(super) const fn may_double(len: u64, max_bytes: u64) -> bool {
    len.saturating_mul(2) <= max_bytes
}

/// How long a file of so many bytes at most is made that may not double any more: whole pages of it.
pub(super) const fn full_length(max_bytes: u64) -> u64 {
    max_bytes - max_bytes % PAGE
}

/// How many entries are to be deleted of so many, in a file of this length that has no room left, or that is too large.
pub(super) fn entries_to_delete(entries: u64, len: u64, max_bytes: u64) -> usize {
    let over =
        u128::from(entries) * u128::from(len.saturating_sub(max_bytes)) / u128::from(len.max(1));
    let over = u64::try_from(over).unwrap_or(u64::MAX);
    let count = (entries / DELETED_SHARE).max(over).clamp(1, MAX_DELETED);
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// Whether a compaction has much to gain, in a file of this length in which so many bytes have become free.
pub(super) const fn worth_compacting(len: u64, max_bytes: u64, freed: u64) -> bool {
    len > max_bytes || (freed >= MIN_GAIN && freed >= len / GAIN_SHARE)
}

/// The earliest of many times.
#[derive(Debug)]
pub(super) struct Earliest {
    /// The latest of them is on top.
    times: BinaryHeap<u64>,
    count: usize,
}

impl Earliest {
    /// Keeps this many times, at least 1.
    pub(super) fn new(count: usize) -> Self {
        Self {
            times: BinaryHeap::new(),
            count: count.max(1),
        }
    }

    /// Takes a time in.
    pub(super) fn push(&mut self, time: u64) {
        if self.times.len() < self.count {
            self.times.push(time);
        } else if let Some(mut latest) = self.times.peek_mut()
            && time < *latest
        {
            *latest = time;
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.times.len()
    }

    /// The latest of the earliest; none where there was no time.
    pub(super) fn latest(&self) -> Option<u64> {
        self.times.peek().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn a_large_value_takes_a_power_of_two_of_pages() {
        for (value, block_bytes) in [
            (100, 328),
            (2000, 4096),
            (4000, 4096),
            (4096, 8192),
            (40_000, 65_536),
        ] {
            assert_eq!(block(value), block_bytes, "{value}");
        }
        assert!(block(1 << 20) <= largest_block(16 * MIB));
        assert!(block(2 << 20) > largest_block(16 * MIB));
    }

    #[test]
    fn a_file_doubles_as_long_as_that_fits() {
        assert!(may_double(8 * MIB, 16 * MIB));
        assert!(!may_double(8 * MIB + 1, 16 * MIB));
    }

    #[test]
    fn a_sixteenth_is_deleted_and_what_is_over_the_bound() {
        for (entries, len, count) in [
            (0, 10 * MIB, 1),
            (1_600, 10 * MIB, 100),
            (1_600, 32 * MIB, 800),
            (u64::MAX, 32 * MIB, 65_536),
        ] {
            assert_eq!(entries_to_delete(entries, len, 16 * MIB), count);
        }
    }

    #[test]
    fn a_compaction_is_worth_it_for_a_quarter_of_the_file_or_a_file_that_is_too_large() {
        assert!(!worth_compacting(10 * MIB, 16 * MIB, 7 * MIB));
        assert!(worth_compacting(10 * MIB, 16 * MIB, 8 * MIB));
        assert!(!worth_compacting(100 * MIB, 160 * MIB, 24 * MIB));
        assert!(worth_compacting(100 * MIB, 160 * MIB, 25 * MIB));
        assert!(worth_compacting(17 * MIB, 16 * MIB, 0));
    }

    #[test]
    fn the_earliest_are_kept() {
        let mut earliest = Earliest::new(3);
        assert_eq!(earliest.latest(), None);
        for time in [9, 4, 7, 1, 8, 3] {
            earliest.push(time);
        }
        assert_eq!(earliest.latest(), Some(4));
    }
}
