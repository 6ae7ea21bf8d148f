//! The fuzz targets' checks, over their committed corpus and over a bounded number of mutations of it.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::path::{Path, PathBuf};

use headroom_tests::random::Random;

#[expect(unreachable_pub, reason = "it is the fuzz targets' library too")]
#[path = "../../../proxy/fuzz/src/lib.rs"]
mod checks;

/// How many mutated inputs are checked.
const MUTATED: usize = 20_000;

/// Pieces that a mutation puts in: what JSON and the dialects are made of.
const PIECES: [&str; 12] = [
    "\"",
    "\\",
    "\\\"",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    " ",
    "\"content\":",
    "\"messages\":[",
];

/// The corpus: each input with its path, in order.
fn corpus() -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proxy/fuzz/corpus");
    let entries = std::fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let input = std::fs::read(&path).unwrap();
        (path, input)
    };
    paths.into_iter().map(read).collect()
}

fn check(input: &[u8]) {
    checks::string_end(input);
    checks::scan(input);
    checks::splice(input);
    checks::turns(input);
}

/// Changes a place of `input`: a byte, a piece put in, a range cut out, or one said twice.
fn mutate(input: &mut Vec<u8>, random: &mut Random) {
    let from = random.below(input.len() + 1);
    let to = (from + random.below(80)).min(input.len());
    match random.below(5) {
        0 if from < input.len() => input[from] = u8::try_from(random.below(256)).unwrap(),
        1 => drop(input.splice(from..to, [])),
        2 => {
            let twice = input[from..to].to_vec();
            input.splice(from..from, twice);
        }
        _ => {
            let piece = PIECES[random.below(PIECES.len())];
            input.splice(from..from, piece.bytes());
        }
    }
}

#[test]
fn what_must_hold_for_any_bytes_holds_for_the_corpus_and_its_mutations() {
    let corpus = corpus();
    for (path, input) in &corpus {
        println!("{}", path.display());
        check(input);
    }
    let mut random = Random::seeded();
    for round in 0..MUTATED {
        let (path, input) = &corpus[random.below(corpus.len())];
        let mut input = input.clone();
        for _ in 0..=random.below(3) {
            mutate(&mut input, &mut random);
        }
        println!("mutation {round}, of {}", path.display());
        check(&input);
    }
}
