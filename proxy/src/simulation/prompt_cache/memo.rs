//! What raw messages are, so that each is read once.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use xxhash_rust::xxh3::xxh3_64;

use super::message::Message;
use super::message_reader;

/// The messages that were read, by the hash of their bytes.
#[derive(Debug, Default)]
pub(super) struct Memo {
    places: HashMap<u64, usize, RandomState>,
    messages: Vec<Message>,
}

impl Memo {
    /// What these messages are.
    pub(super) fn read(&mut self, messages: &[&[u8]]) -> Vec<&Message> {
        let mut place = |raw: &&[u8]| {
            let place = self.places.entry(xxh3_64(raw));
            *place.or_insert_with(|| {
                self.messages.push(message_reader::message(raw));
                self.messages.len() - 1
            })
        };
        let places: Vec<usize> = messages.iter().map(&mut place).collect();
        let found = places.into_iter();
        found.map(|place| &self.messages[place]).collect()
    }
}
