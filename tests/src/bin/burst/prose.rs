//! Made-up prose: plain words, most of which a reader could do without, and no sentence twice.

use headroom_tests::random::Random;

const THINGS: [&str; 24] = [
    "engine", "harbour", "captain", "morning", "market", "letter", "garden", "window", "river",
    "machine", "village", "teacher", "winter", "kitchen", "station", "question", "mountain",
    "picture", "journey", "office", "evening", "doctor", "bridge", "forest",
];
const KINDS: [&str; 16] = [
    "old", "quiet", "narrow", "heavy", "common", "bright", "distant", "careful", "wooden",
    "simple", "early", "gentle", "curious", "broken", "silent", "ordinary",
];
const DEEDS: [&str; 16] = [
    "followed",
    "described",
    "reached",
    "changed",
    "answered",
    "remembered",
    "crossed",
    "watched",
    "repaired",
    "carried",
    "opened",
    "noticed",
    "replaced",
    "visited",
    "explained",
    "improved",
];
const WAYS: [&str; 12] = [
    "slowly",
    "perhaps",
    "again",
    "together",
    "quickly",
    "somehow",
    "mostly",
    "rather",
    "afterwards",
    "usually",
    "almost",
    "finally",
];
/// Sentences of a paragraph.
const PARAGRAPH: usize = 6;

/// A text of at least so many bytes; another one for each seed.
pub(crate) fn prose(seed: u64, bytes: usize) -> String {
    let mut random = Random::of(seed);
    let mut text = String::new();
    for number in 1.. {
        text.push_str(&sentence(&mut random));
        text.push('\n');
        if text.len() >= bytes {
            break;
        }
        if number % PARAGRAPH == 0 {
            text.push('\n');
        }
    }
    text
}

fn sentence(random: &mut Random) -> String {
    let mut thing = || {
        let kind = KINDS[random.below(KINDS.len())];
        format!("{kind} {}", THINGS[random.below(THINGS.len())])
    };
    let [one, two, three] = [thing(), thing(), thing()];
    let [first, second] = [(); 2].map(|()| DEEDS[random.below(DEEDS.len())]);
    let way = WAYS[random.below(WAYS.len())];
    format!(
        "The {one} {way} {first} the {two}, and so the people of the place {second} the {three}."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_seed_has_a_text_of_its_own() {
        assert_ne!(prose(1, 500), prose(2, 500));
        assert_eq!(prose(1, 500), prose(1, 500));
        assert!((500..800).contains(&prose(1, 500).len()));
    }
}
