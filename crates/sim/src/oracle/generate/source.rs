//! [`Source`]: the random numbers of one batch, and choices made with them.

use crate::Random;

/// The random numbers of one batch.
#[derive(Debug)]
pub struct Source(Random);

impl Source {
    /// The numbers of one batch of a seed.
    pub fn new(seed: u64, batch: u64) -> Self {
        Self(Random::part(seed, batch))
    }

    /// True in that many of a hundred cases.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.0.within(0..100) < percent
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        self.0.within(0..end as u64) as usize
    }

    /// A number from `first` to `last`.
    pub fn between(&mut self, first: i64, last: i64) -> i64 {
        first + self.0.within(0..(last - first) as u64 + 1) as i64
    }

    /// One of the choices, of which there is at least one.
    pub fn one_of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }

    /// `count` distinct choices, or all if there are fewer, in a random order.
    pub fn several<'a, T>(&mut self, choices: &'a [T], count: usize) -> Vec<&'a T> {
        let mut left: Vec<&T> = choices.iter().collect();
        let count = count.min(left.len());
        (0..count).map(|_| left.swap_remove(self.below(left.len()))).collect()
    }

    /// The position of one of several weights, each chosen in proportion to its
    /// weight.
    pub fn weighted(&mut self, weights: &[u64]) -> usize {
        let mut at = self.0.within(0..weights.iter().sum());
        weights
            .iter()
            .position(|weight| {
                let found = at < *weight;
                at = at.saturating_sub(*weight);
                found
            })
            .expect("the number is below the sum")
    }
}
