use super::*;
use proptest::prelude::*;

/// What is done with an index from turn to turn. Hashes are few, so that they often meet.
#[derive(Debug, Clone)]
enum Step {
    Add { text: u64, windows: Vec<u64> },
    Share,
    Truncate(usize),
    Merge,
}

fn step() -> impl Strategy<Value = Step> {
    let windows = prop::collection::vec(0..8_u64, 0..6);
    prop_oneof![
        4 => (0..8_u64, windows).prop_map(|(text, windows)| Step::Add { text, windows }),
        2 => Just(Step::Share),
        1 => (0..20_usize).prop_map(Step::Truncate),
        1 => Just(Step::Merge),
    ]
}

/// What is found of each hash: the text, the blocks with the label, and the windows.
fn found(lookup: &Lookup) -> Vec<(Option<u32>, Vec<u32>, Vec<Line>)> {
    let of = |hash| {
        let labels = lookup.count_labels(hash, u32::MAX);
        let labels = (0..labels).filter_map(|nth| lookup.find_label(hash, nth));
        let windows = lookup.find_window(hash).collect();
        (lookup.find_text(hash), labels.collect(), windows)
    };
    (0..8).map(of).collect()
}

fn of_blocks(blocks: &[(u64, Vec<u64>)]) -> Lookup {
    let mut lookup = Lookup::default();
    for (block, (text, windows)) in (0..).zip(blocks) {
        lookup.add(block, text % 3, [*text], windows.iter().copied().zip(0..));
    }
    lookup
}

proptest! {
    #[test]
    fn however_an_index_came_to_be_it_finds_what_its_blocks_say(
        steps in prop::collection::vec(step(), 0..40),
    ) {
        let (mut lookup, mut blocks) = (Lookup::default(), Vec::new());
        let mut shared = Vec::new();
        for step in steps {
            match step {
                Step::Add { text, windows } => {
                    let lines = windows.iter().copied().zip(0..);
                    lookup.add(u32::try_from(blocks.len()).unwrap(), text % 3, [text], lines);
                    blocks.push((text, windows));
                }
                Step::Share => shared.push((lookup.clone(), blocks.clone())),
                Step::Truncate(len) => {
                    lookup.truncate(u32::try_from(len).unwrap());
                    blocks.truncate(len);
                }
                Step::Merge => lookup.merge(),
            }
            prop_assert_eq!(found(&lookup), found(&of_blocks(&blocks)));
        }
        for (lookup, blocks) in shared {
            prop_assert_eq!(found(&lookup), found(&of_blocks(&blocks)));
        }
    }
}

#[test]
fn merged_parts_are_few() {
    let mut lookup = Lookup::default();
    let mut last = Lookup::default();
    for block in 0..500 {
        lookup.add(block, 0, [u64::from(block)], [(u64::from(block), 0)]);
        lookup.merge();
        last = lookup.clone();
    }
    assert!(last.parts.len() < 6, "{} parts", last.parts.len());
    assert!(last.memory() < 500 * 100, "{} bytes", last.memory());
}
