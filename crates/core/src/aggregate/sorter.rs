//! `$sort`: holds the rows until all are known, or only as many as the stages after it need.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::ops::ControlFlow;

use super::context::{Held, Shared};
use super::row::{Kept, Row};
use crate::{Result, Sort};

/// A running `$sort`.
pub(super) struct Sorter<'p> {
    sort: &'p Sort,
    place: &'p str,
    rows: Rows,
    /// The number of the next row, which keeps equal rows in their order.
    number: u64,
    key: Vec<u8>,
    held: Held,
}

enum Rows {
    All(Vec<Entry>),
    /// The first rows, up to a number, with the last of them on top.
    First(usize, BinaryHeap<Entry>),
}

struct Entry {
    key: Box<[u8]>,
    number: u64,
    row: Kept,
}

impl Entry {
    fn bytes(&self) -> usize {
        size_of::<Self>() - size_of::<Kept>() + self.key.len() + self.row.bytes()
    }

    fn order(&self) -> (&[u8], u64) {
        (&self.key, self.number)
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

impl<'p> Sorter<'p> {
    /// A sorter; if `first` is given, only that many of the first rows are needed.
    pub(super) fn new(sort: &'p Sort, place: &'p str, first: Option<usize>) -> Self {
        let rows = match first {
            None => Rows::All(Vec::new()),
            Some(first) => Rows::First(first, BinaryHeap::new()),
        };
        Self { sort, place, rows, number: 0, key: Vec::new(), held: Held::default() }
    }

    pub(super) fn push(&mut self, row: Row<'_>, shared: &Shared<'_>) -> Result<()> {
        shared.step()?;
        self.key.clear();
        match &row {
            Row::Document(document) => self.sort.encode_key(document, &mut self.key)?,
            Row::Object(object) => self.sort.encode_key_object(object, &mut self.key),
        }
        if let Rows::First(first, heap) = &mut self.rows
            && heap.len() >= *first
        {
            // A row that is equal to the last one comes after it.
            let Some(last) = heap.peek().filter(|last| *self.key < *last.key) else {
                return Ok(());
            };
            self.held.give_back(shared, last.bytes());
            heap.pop();
        }
        let entry =
            Entry { key: self.key.as_slice().into(), number: self.number, row: Kept::new(row) };
        self.number += 1;
        self.held.add(shared, self.place, entry.bytes())?;
        match &mut self.rows {
            Rows::All(rows) => rows.push(entry),
            Rows::First(_, heap) => heap.push(entry),
        }
        Ok(())
    }

    /// Passes the rows to `next`, in order.
    pub(super) fn drain(
        &mut self,
        shared: &Shared<'_>,
        mut next: impl FnMut(Row<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let rows = match &mut self.rows {
            Rows::All(rows) => {
                let mut rows = std::mem::take(rows);
                rows.sort_unstable();
                rows
            }
            Rows::First(_, heap) => std::mem::take(heap).into_sorted_vec(),
        };
        for entry in rows {
            shared.step()?;
            self.held.give_back(shared, entry.bytes());
            if entry.row.give(&mut next)?.is_break() {
                break;
            }
        }
        self.held.clear(shared);
        Ok(())
    }
}
