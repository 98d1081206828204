//! [`Random`]: numbers from a seed, the same on every machine and in every version.

use std::ops::Range;

/// A small generator (SplitMix64).
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The generator of `seed`.
    pub fn new(seed: u64) -> Self {
        Random { state: seed }
    }

    /// The generator of one part of what `seed` decides; the parts do not depend on each other.
    pub fn part(seed: u64, part: u64) -> Self {
        Random::new(mixed(seed ^ mixed(part)))
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mixed(self.state)
    }

    /// A number within `range`, which is not empty.
    pub fn within(&mut self, range: Range<u64>) -> u64 {
        range.start + self.number() % (range.end - range.start)
    }

    /// True once in `chances` on average.
    pub fn one_in(&mut self, chances: u64) -> bool {
        self.within(0..chances) == 0
    }

    /// One of `choices`, of which there is at least one.
    pub fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.within(0..choices.len() as u64) as usize]
    }
}

/// All bits of a number, spread over all bits.
pub(crate) fn mixed(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_and_its_parts_differ() {
        let numbers =
            |mut random: Random| -> Vec<u64> { (0..4).map(|_| random.number()).collect() };
        assert_eq!(numbers(Random::new(7)), numbers(Random::new(7)));
        assert_ne!(numbers(Random::part(7, 0)), numbers(Random::part(7, 1)));
    }
}
