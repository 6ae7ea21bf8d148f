//! Random numbers that come again: all from one seed, which is printed.

/// The seed where `HEADROOM_TEST_SEED` names no other.
const SEED: u64 = 20_260_101;

/// A stream of random numbers (`SplitMix64`).
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// The stream of the seed in `HEADROOM_TEST_SEED`, or of the one that is always the same.
    ///
    /// # Panics
    /// When that variable holds no number.
    #[must_use]
    pub fn seeded() -> Self {
        let seed = std::env::var("HEADROOM_TEST_SEED").map_or(SEED, |seed| {
            seed.parse()
                .unwrap_or_else(|_| panic!("HEADROOM_TEST_SEED is {seed:?}: takes a number"))
        });
        say(seed);
        Self(seed)
    }

    /// The stream of this seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// A stream of its own, so that what is drawn from it does not depend on what others draw meanwhile.
    #[must_use]
    pub fn branch(&mut self) -> Self {
        Self(self.any())
    }

    /// The next number.
    pub fn any(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0.
    ///
    /// # Panics
    /// When it is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.any() % bound as u64).expect("it is below a usize")
    }
}

#[expect(
    clippy::print_stdout,
    reason = "the seed belongs to the failed test's output"
)]
fn say(seed: u64) {
    println!("HEADROOM_TEST_SEED={seed}");
}
