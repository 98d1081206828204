//! [`Garbage`]: unlinked memory that waits until no reader can still use it.
//!
//! Readers pin the epoch. Memory that is handed over here is freed when every reader that was
//! pinned at that time has unpinned. The writer hands over in portions, so that the collector's
//! bookkeeping is paid once per portion, and frees earlier portions at that time.
//!
//! There is one `Garbage` an engine, inside the writer's lock: to have it is to be the writer.
//! That is why every function that changes an index takes it.

use crossbeam_epoch as epoch;

use super::branch::{Inner, Root};
use super::leaf::Leaf;
use super::record::{Header, SharedRecord};
use super::table::{Slot, free_slots};

/// A portion is handed over when it has this many pieces, or this many bytes.
const PIECES_MAX: usize = 64;
const BYTES_MAX: usize = 1 << 20;

/// Memory that an index has unlinked. Its drop frees it.
pub(super) enum Piece {
    /// The reference of the indexes to a record.
    Record(*mut Header),
    /// A leaf, without its records.
    Leaf(*mut Leaf),
    /// A branch above leaves, without these.
    Inner(*mut Inner),
    /// The branch at the top, without those below.
    Root(*mut Root),
    /// A hash table of this capacity, without its records.
    Slots(*mut Slot, usize),
}

// SAFETY: all of them can be freed on any thread: records are counted atomically, and the others
// are plain memory that only this piece still points to.
unsafe impl Send for Piece {}

impl Drop for Piece {
    fn drop(&mut self) {
        // SAFETY: the caller that made the piece guaranteed, in `Garbage::retire` or by owning
        // the whole index, that no other code can reach it and that it was made once.
        unsafe {
            match *self {
                Piece::Record(header) => drop(SharedRecord::from_raw(header)),
                Piece::Leaf(leaf) => drop(Box::from_raw(leaf)),
                Piece::Inner(inner) => drop(Box::from_raw(inner)),
                Piece::Root(root) => drop(Box::from_raw(root)),
                Piece::Slots(slots, capacity) => free_slots(slots, capacity),
            }
        }
    }
}

/// What the writer has unlinked and not yet handed over.
#[derive(Default)]
pub(super) struct Garbage {
    pieces: Vec<Piece>,
    bytes: usize,
}

impl Garbage {
    /// Frees `piece`, of about `bytes`, when no reader uses it any more.
    ///
    /// # Safety
    ///
    /// No later reader can find it, it is retired once, and afterwards it is only read, by
    /// readers that found it before.
    pub(super) unsafe fn retire(&mut self, piece: Piece, bytes: usize) {
        self.pieces.push(piece);
        self.bytes += bytes;
        if self.pieces.len() >= PIECES_MAX || self.bytes >= BYTES_MAX {
            self.hand_over();
        }
    }

    /// Hands over everything, and frees what no reader uses any more.
    pub(super) fn hand_over(&mut self) {
        let guard = epoch::pin();
        if self.pieces.is_empty() {
            return guard.flush();
        }
        let pieces = std::mem::take(&mut self.pieces);
        self.bytes = 0;
        guard.defer(move || drop(pieces));
        guard.flush();
    }
}
