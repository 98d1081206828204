//! [`Branch`]: an inner node, with the keys that separate the ranges of its children.
//!
//! The separators of a branch never change; the pointers to its children do. A branch whose
//! number of children changes is replaced by a new one.

use std::sync::atomic::{AtomicPtr, Ordering};

use super::leaf::Leaf;

/// A branch above leaves.
pub(super) type Inner = Branch<Leaf>;
/// The branch at the top.
pub(super) type Root = Branch<Inner>;

/// Children in the order of their ranges.
pub(super) struct Branch<C> {
    separators: Separators,
    children: Box<[AtomicPtr<C>]>,
}

impl<C> Branch<C> {
    /// A branch of `children`; each separator is the smallest key of the range behind it.
    pub(super) fn new(separators: &[&[u8]], children: &[*mut C]) -> Box<Self> {
        assert_eq!(separators.len() + 1, children.len());
        Box::new(Branch {
            separators: Separators::new(separators),
            children: children.iter().copied().map(AtomicPtr::new).collect(),
        })
    }

    pub(super) fn separators(&self) -> &Separators {
        &self.separators
    }

    pub(super) fn len(&self) -> usize {
        self.children.len()
    }

    /// The child number `index`.
    #[inline]
    pub(super) fn child(&self, index: usize) -> *mut C {
        self.children[index].load(Ordering::Acquire)
    }

    /// Every child.
    pub(super) fn children(&self) -> impl Iterator<Item = *mut C> {
        self.children.iter().map(|child| child.load(Ordering::Acquire))
    }

    /// Puts another child of the same range in the place of child `index`.
    pub(super) fn set_child(&self, index: usize, child: *mut C) {
        self.children[index].store(child, Ordering::Release);
    }

    /// Bytes of its allocations.
    pub(super) fn allocated_bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.children) + self.separators.allocated_bytes()
    }
}

/// The ordered keys between the children of a branch.
pub(super) struct Separators {
    /// All of them, one after the other.
    bytes: Box<[u8]>,
    ends: Box<[u32]>,
    /// How many leading bytes all of them have in common.
    skip: usize,
    /// The eight bytes of each behind these, zero where it ends before.
    heads: Box<[u64]>,
}

impl Separators {
    fn new(separators: &[&[u8]]) -> Self {
        let skip = match separators {
            [] => 0,
            [first, ..] => common_prefix(first, separators[separators.len() - 1]),
        };
        let mut end = 0;
        let ends = separators.iter().map(|separator| {
            end += separator.len();
            u32::try_from(end).expect("a branch has far less than 4 GiB of separators")
        });
        Separators {
            ends: ends.collect(),
            bytes: separators.concat().into_boxed_slice(),
            skip,
            heads: separators.iter().map(|key| head(key, skip)).collect(),
        }
    }

    #[inline]
    fn get(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start as usize..self.ends[index] as usize]
    }

    /// Every separator, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.heads.len()).map(|index| self.get(index))
    }

    /// The smallest key of the range of child `index`, unless that is the first child.
    pub(super) fn lower(&self, index: usize) -> Option<&[u8]> {
        index.checked_sub(1).map(|before| self.get(before))
    }

    /// The smallest key above the range of child `index`, unless that is the last child.
    pub(super) fn upper(&self, index: usize) -> Option<&[u8]> {
        (index < self.heads.len()).then(|| self.get(index))
    }

    /// The child whose range has `key`: how many separators are at or below it.
    #[inline]
    pub(super) fn child_of(&self, key: &[u8]) -> usize {
        self.count(key, |separator, key| separator <= key)
    }

    /// The child whose range has the keys right below `key`: how many separators are below it.
    pub(super) fn child_below(&self, key: &[u8]) -> usize {
        self.count(key, |separator, key| separator < key)
    }

    /// How many separators, from the first on, are `before` the key. Keys with different heads
    /// are compared by these.
    #[inline]
    fn count(&self, key: &[u8], before: impl Fn(&[u8], &[u8]) -> bool) -> usize {
        if self.heads.is_empty() {
            return 0;
        }
        let prefix = &self.bytes[..self.skip];
        let key_prefix = &key[..key.len().min(self.skip)];
        if key_prefix != prefix {
            return if key_prefix < prefix { 0 } else { self.heads.len() };
        }
        let head = head(key, self.skip);
        let mut low = self.heads.partition_point(|other| *other < head);
        if self.heads.get(low) != Some(&head) {
            return low;
        }
        let mut high = low + self.heads[low..].partition_point(|other| *other == head);
        while low < high {
            let middle = low.midpoint(high);
            match before(self.get(middle), key) {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        low
    }

    fn allocated_bytes(&self) -> usize {
        size_of_val(&*self.bytes) + size_of_val(&*self.ends) + size_of_val(&*self.heads)
    }
}

#[inline]
fn head(key: &[u8], skip: usize) -> u64 {
    let rest = key.get(skip..).unwrap_or_default();
    match rest.first_chunk::<8>() {
        Some(head) => u64::from_be_bytes(*head),
        None => {
            let mut head = [0; 8];
            head[..rest.len()].copy_from_slice(rest);
            u64::from_be_bytes(head)
        }
    }
}

/// How many leading bytes two keys have in common.
pub(super) fn common_prefix(left: &[u8], right: &[u8]) -> usize {
    let pairs = left.iter().zip(right);
    pairs.take_while(|(left, right)| left == right).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Random;

    #[test]
    fn children_are_found_as_by_comparing_keys() {
        let mut random = Random::announced("children_are_found_as_by_comparing_keys");
        for round in 0..if cfg!(miri) { 8 } else { 300 } {
            let prefix = random.bytes(round % 4);
            let mut keys: Vec<Vec<u8>> = (0..random.within(0..20))
                .map(|_| [&prefix[..], &random.bytes(12)].concat())
                .collect();
            keys.sort();
            keys.dedup();
            let borrowed: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
            let separators = Separators::new(&borrowed);
            assert!(separators.iter().eq(borrowed.iter().copied()));
            for _ in 0..40 {
                let key = match random.one_in(2) && !keys.is_empty() {
                    true => keys[random.within(0..keys.len() as u64) as usize].clone(),
                    false => [&prefix[..], &random.bytes(12)].concat(),
                };
                let key = &key[..random.within(0..key.len() as u64 + 1) as usize];
                let at_or_below = keys.iter().filter(|other| &other[..] <= key).count();
                assert_eq!(separators.child_of(key), at_or_below, "{keys:?} {key:?}");
                let below = keys.iter().filter(|other| &other[..] < key).count();
                assert_eq!(separators.child_below(key), below, "{keys:?} {key:?}");
                let child = separators.child_of(key);
                assert!(separators.lower(child).is_none_or(|lower| lower <= key));
                assert!(separators.upper(child).is_none_or(|upper| upper > key));
            }
        }
    }
}
