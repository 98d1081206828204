//! [`Tree`]: the records of a keyspace in the order of their keys.
//!
//! ```text
//!   root     ranges of about 8,000 keys        replaced when an inner branch is split or dropped
//!   inner    ranges of about 50 keys           replaced when a leaf is split or merged
//!   leaf     records                           replaced when it is full or loses a key
//! ```
//!
//! Always three levels: a root that grows with the number of keys costs a copy of its pointers
//! once in some thousand inserts, and makes everything else simpler. One writer changes the tree,
//! by replacing an old node with one store; readers follow the nodes that they find, pinned, and
//! never wait or repeat. A replaced node does not change any more, so a reader that is in it sees
//! its range as of a moment after the reader arrived.
//!
//! Leaves have no links to their neighbours. A scan takes the bounds of the leaf from the path,
//! and goes on from the upper one.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use crossbeam_epoch::Guard;

use super::branch::{Branch, Inner, Root, common_prefix};
use super::garbage::{Garbage, Piece};
use super::leaf::{Entry, LEAF_CAPACITY, Leaf, entry, position, record_of};
use super::prefetch::prefetch_bytes;
use super::record::Record;
use super::tagged::unpack;

/// How many leaves an inner branch has at most: a replaced one copies as many pointers.
const INNER_LENGTH_MAX: usize = if cfg!(miri) { 4 } else { 128 };
/// A leaf that has become this small is merged with a neighbour of up to that size.
const MERGE_LENGTH_MAX: usize = LEAF_CAPACITY / 4;

/// The ordered index of a keyspace.
pub(super) struct Tree {
    root: AtomicPtr<Root>,
    allocated_bytes: AtomicU64,
}

/// The nodes that lead to a leaf, and the leaf. They live for `'a`: it is borrowed from a pinned
/// epoch, or is a time in which the writer retires none of them.
#[derive(Clone, Copy)]
pub(super) struct Path<'a> {
    root: *mut Root,
    at_root: usize,
    inner: *mut Inner,
    at_inner: usize,
    leaf: *mut Leaf,
    lifetime: PhantomData<&'a Tree>,
}

/// A position between keys.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place<'k> {
    /// Right before this key: its leaf is the one that has the key, or would have it.
    Before(&'k [u8]),
    /// Right after the keys below this one: its leaf is the one that has the last of them.
    Behind(&'k [u8]),
    /// After all keys.
    End,
}

impl<'a> Path<'a> {
    fn root(&self) -> &'a Root {
        // SAFETY: see the type.
        unsafe { &*self.root }
    }

    fn inner(&self) -> &'a Inner {
        // SAFETY: see the type.
        unsafe { &*self.inner }
    }

    fn leaf(&self) -> &'a Leaf {
        // SAFETY: see the type.
        unsafe { &*self.leaf }
    }

    /// The smallest key of the leaf's range; `None` when that has no lower end.
    pub(super) fn lower(&self) -> Option<&'a [u8]> {
        let inner = self.inner().separators().lower(self.at_inner);
        inner.or_else(|| self.root().separators().lower(self.at_root))
    }

    /// The smallest key above the leaf's range; `None` when that has no upper end.
    pub(super) fn upper(&self) -> Option<&'a [u8]> {
        let inner = self.inner().separators().upper(self.at_inner);
        inner.or_else(|| self.root().separators().upper(self.at_root))
    }

    /// Puts the leaf's entries into `entries`, in order.
    pub(super) fn collect(&self, entries: &mut Vec<Entry>) {
        // SAFETY: a path is borrowed from a pinned epoch or from the writer.
        unsafe { self.leaf().collect(entries) }
    }

    /// How many of the `entries` have keys below `key`, which is in the leaf's range.
    pub(super) fn position(&self, entries: &[Entry], key: &[u8]) -> usize {
        // SAFETY: the entries are of this leaf; otherwise as above.
        unsafe { position(entries, key, self.leaf().skip()) }
    }

    /// The record of an entry of this leaf.
    #[inline]
    pub(super) fn record(&self, entry: Entry) -> Record<'a> {
        // SAFETY: as above.
        unsafe { record_of(entry) }
    }
}

impl Tree {
    pub(super) fn new() -> Self {
        let tree = Tree { root: AtomicPtr::default(), allocated_bytes: AtomicU64::new(0) };
        let leaf = tree.add_leaf(None, None, &[]);
        let inner = tree.add_branch(&[], &[leaf]);
        let root = tree.add_branch(&[], &[inner]);
        tree.root.store(root, Ordering::Release);
        tree
    }

    /// The path to the leaf at `place`, for a reader.
    #[inline]
    pub(super) fn path<'g>(&'g self, place: Place<'_>, _guard: &'g Guard) -> Path<'g> {
        // SAFETY: the guard pins the epoch for 'g.
        unsafe { self.path_unguarded(place) }
    }

    /// # Safety
    ///
    /// For 'a the epoch is pinned, or the caller is the writer and retires nothing of the path.
    unsafe fn path_unguarded<'a>(&self, place: Place<'_>) -> Path<'a> {
        // SAFETY: a node is unlinked before it is retired, so every pointer that is found in a
        // linked node, or in one that was linked when the caller came, is to a living node.
        unsafe {
            let root = self.root.load(Ordering::Acquire);
            let at_root = child_at(&*root, place);
            let inner = (*root).child(at_root);
            let at_inner = child_at(&*inner, place);
            let leaf = (*inner).child(at_inner);
            Path { root, at_root, inner, at_inner, leaf, lifetime: PhantomData }
        }
    }

    /// Adds the first version of a key that the tree does not have.
    pub(super) fn insert(&self, record: Record<'_>, garbage: &mut Garbage) {
        // SAFETY: the garbage is the writer's, and nodes are only retired at the end.
        let path = unsafe { self.path_unguarded(Place::Before(record.key())) };
        if path.leaf().append(record) {
            return;
        }
        let mut entries = Vec::with_capacity(LEAF_CAPACITY + 1);
        path.collect(&mut entries);
        let at = path.position(&entries, record.key());
        entries.insert(at, entry(record, path.leaf().skip()));
        match entries.len() <= LEAF_CAPACITY - ROOM_MIN {
            true => self.replace_leaf(&path, &entries, garbage),
            false => self.split(&path, &entries, at, garbage),
        }
    }

    /// Prefetches the leaf of `key`. For the writer alone.
    pub(super) fn prefetch_leaf(&self, key: &[u8], _garbage: &Garbage) {
        // SAFETY: the garbage is the writer's, and nothing is retired during this call.
        let path = unsafe { self.path_unguarded(Place::Before(key)) };
        prefetch_bytes(path.leaf, size_of::<Leaf>());
    }

    /// Replaces the version of a key by a newer one.
    pub(super) fn replace(&self, old: Record<'_>, new: Record<'_>, _garbage: &Garbage) {
        // SAFETY: the garbage is the writer's.
        let path = unsafe { self.path_unguarded(Place::Before(new.key())) };
        path.leaf().replace(old, new);
    }

    /// Removes a key, whose newest version this is.
    pub(super) fn remove(&self, record: Record<'_>, garbage: &mut Garbage) {
        // SAFETY: as in `insert`.
        let path = unsafe { self.path_unguarded(Place::Before(record.key())) };
        let mut entries = Vec::with_capacity(LEAF_CAPACITY);
        path.collect(&mut entries);
        entries.retain(|entry| unpack(*entry).0 != record.as_raw());
        if entries.len() > MERGE_LENGTH_MAX {
            self.replace_leaf(&path, &entries, garbage);
        } else if path.inner().len() > 1 {
            self.merge(&path, &entries, garbage);
        } else if entries.is_empty() && path.root().len() > 1 {
            self.drop_inner(&path, garbage);
        } else {
            self.replace_leaf(&path, &entries, garbage);
        }
    }

    /// A new leaf of the same range.
    fn replace_leaf(&self, path: &Path<'_>, entries: &[Entry], garbage: &mut Garbage) {
        let leaf = Box::into_raw(Leaf::new(path.leaf().skip(), entries));
        self.count_allocated(size_of::<Leaf>());
        path.inner().set_child(path.at_inner, leaf);
        self.retire_leaf(path.leaf, garbage);
    }

    /// Splits a leaf in two; `at` is the position of the newest entry.
    fn split(&self, path: &Path<'_>, entries: &[Entry], at: usize, garbage: &mut Garbage) {
        // For ascending keys the left leaf stays full.
        let middle = if at + 1 == entries.len() { at } else { entries.len() / 2 };
        let (left, right) = entries.split_at(middle);
        let last = path.record(left[middle - 1]).key();
        let first = path.record(right[0]).key();
        let separator = &first[..common_prefix(last, first) + 1];
        let leaves = [
            self.add_leaf(path.lower(), Some(separator), left),
            self.add_leaf(Some(separator), path.upper(), right),
        ];
        let mut separators: Vec<&[u8]> = path.inner().separators().iter().collect();
        let mut children: Vec<*mut Leaf> = path.inner().children().collect();
        separators.insert(path.at_inner, separator);
        children.splice(path.at_inner..=path.at_inner, leaves);
        self.replace_inner(path, &separators, &children, garbage);
        self.retire_leaf(path.leaf, garbage);
    }

    /// Merges a small leaf, which has these entries left, with its neighbour, if that is small too.
    fn merge(&self, path: &Path<'_>, entries: &[Entry], garbage: &mut Garbage) {
        // The leaf with its right neighbour, or the last one with its left neighbour.
        let left_index = path.at_inner.min(path.inner().len() - 2);
        let is_left = left_index == path.at_inner;
        let other_index = if is_left { left_index + 1 } else { left_index };
        let other = Path { at_inner: other_index, leaf: path.inner().child(other_index), ..*path };
        if other.leaf().len() > MERGE_LENGTH_MAX && !entries.is_empty() {
            return self.replace_leaf(path, entries, garbage);
        }
        let mut merged = Vec::with_capacity(LEAF_CAPACITY);
        other.collect(&mut merged);
        let at = if is_left { 0 } else { merged.len() };
        merged.splice(at..at, entries.iter().copied());
        let (left, right) = if is_left { (path, &other) } else { (&other, path) };
        let leaf = self.add_leaf(left.lower(), right.upper(), &merged);
        let mut separators: Vec<&[u8]> = path.inner().separators().iter().collect();
        let mut children: Vec<*mut Leaf> = path.inner().children().collect();
        separators.remove(left_index);
        children.splice(left_index..=left_index + 1, [leaf]);
        self.replace_inner(path, &separators, &children, garbage);
        self.retire_leaf(path.leaf, garbage);
        self.retire_leaf(other.leaf, garbage);
    }

    /// Replaces an inner branch by one or two.
    fn replace_inner(
        &self,
        path: &Path<'_>,
        separators: &[&[u8]],
        children: &[*mut Leaf],
        garbage: &mut Garbage,
    ) {
        if children.len() <= INNER_LENGTH_MAX {
            let inner = self.add_branch(separators, children);
            path.root().set_child(path.at_root, inner);
        } else {
            // As with leaves: a split at the end means ascending keys.
            let is_last = path.at_inner + 1 == path.inner().len();
            let middle = if is_last { children.len() - 1 } else { children.len() / 2 };
            let (left, right) = children.split_at(middle);
            let inners = [
                self.add_branch(&separators[..middle - 1], left),
                self.add_branch(&separators[middle..], right),
            ];
            let mut root_separators: Vec<&[u8]> = path.root().separators().iter().collect();
            let mut root_children: Vec<*mut Inner> = path.root().children().collect();
            root_separators.insert(path.at_root, separators[middle - 1]);
            root_children.splice(path.at_root..=path.at_root, inners);
            self.replace_root(path, &root_separators, &root_children, garbage);
        }
        self.retire_inner(path, garbage);
    }

    /// Gives the range of an inner branch without any key to a neighbour of it.
    fn drop_inner(&self, path: &Path<'_>, garbage: &mut Garbage) {
        // The neighbour's leaf at the border gets a larger range before its path is read.
        let place = match path.lower() {
            Some(lower) => Place::Behind(lower),
            None => Place::Before(path.upper().expect("the root has another child")),
        };
        // SAFETY: `remove` is the writer, and retires only below.
        let neighbour = unsafe { self.path_unguarded(place) };
        let (lower, upper) = match place {
            Place::Behind(_) => (neighbour.lower(), path.upper()),
            _ => (None, neighbour.upper()),
        };
        let mut entries = Vec::with_capacity(LEAF_CAPACITY);
        neighbour.collect(&mut entries);
        let leaf = self.add_leaf(lower, upper, &entries);
        neighbour.inner().set_child(neighbour.at_inner, leaf);
        let mut separators: Vec<&[u8]> = path.root().separators().iter().collect();
        let mut children: Vec<*mut Inner> = path.root().children().collect();
        separators.remove(path.at_root.saturating_sub(1));
        children.remove(path.at_root);
        self.replace_root(path, &separators, &children, garbage);
        self.retire_leaf(neighbour.leaf, garbage);
        self.retire_leaf(path.leaf, garbage);
        self.retire_inner(path, garbage);
    }

    fn replace_root(
        &self,
        path: &Path<'_>,
        separators: &[&[u8]],
        children: &[*mut Inner],
        garbage: &mut Garbage,
    ) {
        let root = self.add_branch(separators, children);
        self.root.store(root, Ordering::Release);
        let bytes = path.root().allocated_bytes();
        self.count_freed(bytes);
        // SAFETY: the root was just unlinked, by the one writer.
        unsafe { garbage.retire(Piece::Root(path.root), bytes) };
    }

    /// A new leaf of the range from `lower` to `upper`.
    fn add_leaf(&self, lower: Option<&[u8]>, upper: Option<&[u8]>, entries: &[Entry]) -> *mut Leaf {
        let skip = match (lower, upper) {
            (Some(lower), Some(upper)) => common_prefix(lower, upper),
            _ => 0,
        };
        // SAFETY: the entries are of linked records, and the caller is the writer.
        let with_heads = |old: &Entry| entry(unsafe { record_of(*old) }, skip);
        let entries: Vec<Entry> = entries.iter().map(with_heads).collect();
        self.count_allocated(size_of::<Leaf>());
        Box::into_raw(Leaf::new(skip, &entries))
    }

    fn add_branch<C>(&self, separators: &[&[u8]], children: &[*mut C]) -> *mut Branch<C> {
        let branch = Branch::new(separators, children);
        self.count_allocated(branch.allocated_bytes());
        Box::into_raw(branch)
    }

    fn retire_leaf(&self, leaf: *mut Leaf, garbage: &mut Garbage) {
        self.count_freed(size_of::<Leaf>());
        // SAFETY: callers have just replaced the leaf, and are the one writer.
        unsafe { garbage.retire(Piece::Leaf(leaf), size_of::<Leaf>()) };
    }

    fn retire_inner(&self, path: &Path<'_>, garbage: &mut Garbage) {
        let bytes = path.inner().allocated_bytes();
        self.count_freed(bytes);
        // SAFETY: as above.
        unsafe { garbage.retire(Piece::Inner(path.inner), bytes) };
    }

    fn count_allocated(&self, bytes: usize) {
        self.allocated_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn count_freed(&self, bytes: usize) {
        self.allocated_bytes.fetch_sub(bytes as u64, Ordering::Relaxed);
    }

    /// Bytes of its nodes.
    pub(super) fn allocated_bytes(&self) -> u64 {
        self.allocated_bytes.load(Ordering::Relaxed)
    }
}

/// Room that a new leaf has at least.
const ROOM_MIN: usize = 1;

fn child_at<C>(branch: &Branch<C>, place: Place<'_>) -> usize {
    match place {
        Place::Before(key) => branch.separators().child_of(key),
        Place::Behind(key) => branch.separators().child_below(key),
        Place::End => branch.len() - 1,
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let root = *self.root.get_mut();
        // SAFETY: the tree is not shared any more; every node is linked once, and freed here once.
        // The records belong to the hash index.
        unsafe {
            for inner in (*root).children() {
                (*inner).children().for_each(|leaf| drop(Piece::Leaf(leaf)));
                drop(Piece::Inner(inner));
            }
        }
        drop(Piece::Root(root));
    }
}
