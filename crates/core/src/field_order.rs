//! The order of names in an encoded object whose fields were written in another one: a packed
//! permutation. [`codec`](crate::codec) draws its bytes.

use smallvec::SmallVec;

use crate::container::number;

/// For each rank in the order of names, the position at which the field was written.
pub(crate) type Ranks = SmallVec<[u32; 16]>;

/// The ranks of an encoded object. They can be any numbers, since the bytes may be corrupt.
#[derive(Clone, Copy)]
pub(crate) struct FieldOrder<'a> {
    packed: &'a [u8],
    unit: Unit,
}

/// The size of one position, which follows from the number of fields.
#[derive(Clone, Copy)]
enum Unit {
    HalfByte,
    /// `1 << width` bytes.
    Bytes {
        width: u8,
    },
}

impl Unit {
    #[inline]
    const fn of(count: usize) -> Self {
        match count {
            ..=0x10 => Self::HalfByte,
            0x11..=0x100 => Self::Bytes { width: 0 },
            0x101..=0x1_0000 => Self::Bytes { width: 1 },
            _ => Self::Bytes { width: 2 },
        }
    }
}

impl<'a> FieldOrder<'a> {
    /// Reads the ranks of that many fields from the start of these bytes.
    #[inline]
    pub(crate) const fn new(packed: &'a [u8], count: usize) -> Self {
        Self { packed, unit: Unit::of(count) }
    }

    /// How many bytes the ranks of that many fields take.
    pub(crate) const fn length(count: usize) -> usize {
        match Unit::of(count) {
            Unit::HalfByte => count.div_ceil(2),
            Unit::Bytes { width } => count.saturating_mul(1 << width),
        }
    }

    /// The position of the field with that rank.
    #[inline]
    pub(crate) fn position(self, rank: usize) -> usize {
        match self.unit {
            Unit::HalfByte => {
                let pair = self.packed.get(rank / 2).copied().unwrap_or_default();
                usize::from(if rank.is_multiple_of(2) { pair & 0x0f } else { pair >> 4 })
            }
            Unit::Bytes { width } => number(self.packed, rank, width),
        }
    }

    /// Whether the ranks of `count` fields are what [`FieldOrder::pack`] writes, given that each
    /// field has one: not the order in which the fields are written, and no bit too many.
    pub(crate) fn is_canonical(self, count: usize) -> bool {
        let is_padded = matches!(self.unit, Unit::HalfByte) && !count.is_multiple_of(2);
        (0..count).any(|rank| self.position(rank) != rank)
            && (!is_padded || self.position(count) == 0)
    }

    /// Fills [`FieldOrder::length`] bytes with the ranks.
    pub(crate) fn pack(ranks: &[u32], packed: &mut [u8]) {
        match Unit::of(ranks.len()) {
            Unit::HalfByte => {
                for (pair, byte) in ranks.chunks(2).zip(packed) {
                    *byte = pair.iter().rev().fold(0, |byte, position| byte << 4 | *position as u8);
                }
            }
            Unit::Bytes { width } => {
                for (slot, position) in packed.chunks_exact_mut(1 << width).zip(ranks) {
                    slot.copy_from_slice(&position.to_le_bytes()[..1 << width]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_come_back_in_every_size() {
        for count in [2, 3, 15, 16, 17, 255, 256, 257, 0xffff, 0x1_0000, 0x1_0001] {
            let ranks: Vec<u32> = (0..count as u32).rev().collect();
            let mut packed = vec![0; FieldOrder::length(count)];
            FieldOrder::pack(&ranks, &mut packed);
            let order = FieldOrder::new(&packed, count);
            let read: Vec<u32> = (0..count).map(|rank| order.position(rank) as u32).collect();
            assert_eq!(read, ranks);
            assert!(order.is_canonical(count), "{count}");
        }
    }

    #[test]
    fn sizes_are_as_documented() {
        let sizes = [(1, 1), (2, 1), (3, 2), (16, 8), (17, 17), (256, 256), (257, 514)];
        for (count, bytes) in sizes.into_iter().chain([(0x1_0000, 0x2_0000), (0x1_0001, 0x4_0004)])
        {
            assert_eq!(FieldOrder::length(count), bytes, "{count}");
        }
        let mut packed = [0; 2];
        FieldOrder::pack(&[2, 0, 1], &mut packed);
        assert_eq!(packed, [0x02, 0x01]);
        assert!(FieldOrder::new(&packed, 3).is_canonical(3));
        assert!(!FieldOrder::new(&[0x02, 0x11], 3).is_canonical(3), "a bit too many");
        assert!(!FieldOrder::new(&[0x10, 0x02], 3).is_canonical(3), "the order as written");
    }
}
