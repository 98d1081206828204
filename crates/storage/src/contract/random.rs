//! [`Random`]: the numbers of a random test, from a seed that is printed and can be given again.

use std::hash::{BuildHasher, RandomState};
use std::ops::Range;

/// The environment variable that replays a random test.
const SEED_VARIABLE: &str = "VELOCITYDB_SEED";

/// A small generator (SplitMix64): the same seed gives the same numbers on every machine.
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The generator of `seed`.
    pub fn from_seed(seed: u64) -> Self {
        Random { state: seed }
    }

    /// A generator with a new seed, or with that of `VELOCITYDB_SEED`. Prints how to replay the
    /// test named `test`.
    pub fn announced(test: &str) -> Self {
        let given = std::env::var(SEED_VARIABLE).ok();
        let seed = given.and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| RandomState::new().hash_one(test));
        println!("{test}: replay with {SEED_VARIABLE}={seed} cargo test {test}");
        Random::from_seed(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number within `range`, which is not empty.
    pub fn within(&mut self, range: Range<u64>) -> u64 {
        range.start + self.number() % (range.end - range.start)
    }

    /// True once in `chances` on average.
    pub fn one_in(&mut self, chances: u64) -> bool {
        self.within(0..chances) == 0
    }

    /// Up to `length_max` random bytes, of few kinds so that prefixes repeat.
    pub fn bytes(&mut self, length_max: u64) -> Vec<u8> {
        let length = self.within(0..length_max + 1);
        (0..length)
            .map(|_| [0x00, 0x01, b'a', b'b', 0xFE, 0xFF][self.within(0..6) as usize])
            .collect()
    }
}
