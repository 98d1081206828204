//! [`Histogram`]: how the entries of an index are distributed.

use crate::limits::{HISTOGRAM_BOUND_BYTES_MAX, HISTOGRAM_BOUNDS_MAX};
use crate::wire::{put_bytes, take_bytes};
use crate::{decode_varint, encode_varint};

/// How the keys of an index are distributed: bounds between which there are about equally many entries.
///
/// Plans are estimated with it. What a query finds never depends on it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Histogram {
    entries: u64,
    /// In order.
    bounds: Vec<Box<[u8]>>,
}

impl Histogram {
    /// Takes the number of entries of an index, and keys between which there are about equally many of
    /// them, in order: at most [`HISTOGRAM_BOUNDS_MAX`], of which the first [`HISTOGRAM_BOUND_BYTES_MAX`]
    /// bytes are kept. `None` when they are out of order or too many.
    pub fn new<'a>(entries: u64, bounds: impl IntoIterator<Item = &'a [u8]>) -> Option<Self> {
        let kept = |bound: &[u8]| bound[..bound.len().min(HISTOGRAM_BOUND_BYTES_MAX)].into();
        let bounds: Vec<Box<[u8]>> = bounds.into_iter().map(kept).collect();
        let is_valid = bounds.len() <= HISTOGRAM_BOUNDS_MAX && bounds.is_sorted();
        is_valid.then_some(Histogram { entries, bounds })
    }

    /// How many entries there were.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// About what fraction of the entries is within a range of keys.
    pub fn part_of(&self, low: &[u8], high: Option<&[u8]>) -> f64 {
        if self.bounds.is_empty() {
            return 0.0;
        }
        let below = |key: &[u8]| self.bounds.partition_point(|bound| &bound[..] < key);
        let (first, end) = (below(low), high.map_or(self.bounds.len(), below));
        // A range without a bound is smaller than the distance between two.
        (end.saturating_sub(first) as f64).max(0.5) / self.bounds.len() as f64
    }

    /// Appends the bytes: entries, the number of bounds (both LEB128), and of each bound how many bytes it
    /// has in common with the one before (LEB128), and the rest after its length (LEB128).
    pub fn encode_into(&self, out: &mut Vec<u8>) {
        encode_varint(self.entries, out);
        encode_varint(self.bounds.len() as u64, out);
        let mut before: &[u8] = &[];
        for bound in &self.bounds {
            let shared = bound.iter().zip(before).take_while(|(one, other)| one == other).count();
            encode_varint(shared as u64, out);
            put_bytes(&bound[shared..], out);
            before = bound;
        }
    }

    /// Takes a histogram from the start of `bytes`, which need not be trusted, and moves `bytes` past it.
    /// `None` when they are not valid.
    pub fn take(bytes: &mut &[u8]) -> Option<Self> {
        let entries = decode_varint(bytes)?;
        let count = usize::try_from(decode_varint(bytes)?).ok()?;
        let mut bounds: Vec<Box<[u8]>> = Vec::new();
        if count > HISTOGRAM_BOUNDS_MAX {
            return None;
        }
        for _ in 0..count {
            let shared = usize::try_from(decode_varint(bytes)?).ok()?;
            let before = bounds.last().map_or(&[][..], |before| &before[..]);
            let bound = [before.get(..shared)?, take_bytes(bytes)?].concat();
            if bound.len() > HISTOGRAM_BOUND_BYTES_MAX {
                return None;
            }
            bounds.push(bound.into());
        }
        bounds.is_sorted().then_some(Histogram { entries, bounds })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(numbers: impl Iterator<Item = u32>) -> Histogram {
        let keys: Vec<[u8; 4]> = numbers.map(u32::to_be_bytes).collect();
        Histogram::new(keys.len() as u64 * 10, keys.iter().map(|key| &key[..])).unwrap()
    }

    #[test]
    fn parts_are_about_right() {
        let histogram = of(0..400);
        let part = |low: u32, high: Option<u32>| {
            let high = high.map(u32::to_be_bytes);
            histogram.part_of(&low.to_be_bytes(), high.as_ref().map(|high| &high[..]))
        };
        assert!((0.45..0.55).contains(&part(100, Some(300))));
        assert!((0.2..0.3).contains(&part(300, None)));
        assert!(part(7, Some(8)) < 0.01 && part(7, Some(8)) > 0.0);
        assert!(part(1_000, None) < 0.01 && part(1_000, None) > 0.0);
        assert_eq!(Histogram::default().part_of(&[], None), 0.0);
    }

    #[test]
    fn it_round_trips_and_bad_bytes_are_refused() {
        let long = [7; 2 * HISTOGRAM_BOUND_BYTES_MAX];
        let cut = Histogram::new(2, [&long[..], &[8]]).unwrap();
        assert_eq!(cut.bounds[0].len(), HISTOGRAM_BOUND_BYTES_MAX);
        for histogram in [Histogram::default(), of(0..1), of((0..300).map(|n| n * n)), cut] {
            let mut bytes = Vec::new();
            histogram.encode_into(&mut bytes);
            for length in 0..bytes.len() {
                assert!(Histogram::take(&mut &bytes[..length]).is_none());
            }
            let mut rest = &bytes[..];
            assert_eq!(Histogram::take(&mut rest), Some(histogram));
            assert!(rest.is_empty());
        }
        assert!(Histogram::new(2, [&[2][..], &[1]]).is_none());
        assert!(
            Histogram::new(1, std::iter::repeat_n(&[1][..], HISTOGRAM_BOUNDS_MAX + 1)).is_none()
        );
        // Out of order; more in common than there is; too long.
        for bytes in [&[2, 2, 0, 1, 2, 0, 1, 1][..], &[1, 1, 1, 0], &[1, 1, 0, 200, 1]] {
            let mut bytes = bytes.to_vec();
            bytes.extend([9; 200]);
            assert!(Histogram::take(&mut &bytes[..]).is_none(), "{bytes:?}");
        }
    }
}
