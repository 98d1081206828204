//! [`Partitions`]: the owner of an engine's directory. It alone decides which range is whose.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::directory::{self, Directory};
use super::prefixed::{Partition, PartitionId, State};
use super::replacement::Replacement;
use super::view::Range;
use crate::{Batch, Bounds, Durability, Engine, Error, Keyspace, Part, Result};

/// The partitions of an engine.
///
/// ```
/// use std::sync::Arc;
/// use velocitydb_storage::{Batch, Durability, Engine, Keyspace, PartitionId, Partitions};
/// use velocitydb_storage::memory::Memory;
///
/// let partitions = Partitions::open(Arc::new(Memory::new(1)))?;
/// let partition = partitions.create(PartitionId(7))?;
/// let mut batch = Batch::new();
/// batch.put(Keyspace(0), b"key", b"old");
/// partition.commit(&batch, Durability::Memory)?;
///
/// let mut replacement = partitions.replace(PartitionId(7))?;
/// replacement.put(Keyspace(0), b"key", b"new")?;
/// assert_eq!(&*partition.get(Keyspace(0), b"key")?.expect("it was put"), b"old");
/// replacement.finish()?;
/// assert_eq!(&*partition.get(Keyspace(0), b"key")?.expect("it was put"), b"new");
/// partitions.remove_leftovers()?;
/// # Ok::<(), velocitydb_storage::Error>(())
/// ```
pub struct Partitions {
    engine: Arc<dyn Engine>,
    keyspaces: usize,
    book: Mutex<Book>,
    /// Held by whoever removes leftovers.
    removing: Mutex<()>,
}

/// What the directory says, as handles. It is changed once the rows are.
struct Book {
    next: Range,
    partitions: BTreeMap<PartitionId, Arc<Partition>>,
    /// What is to be removed. A range that is just being written is not among them.
    leftovers: BTreeSet<Range>,
}

/// The number of ranges that an engine can have had. The last two numbers are no range's: of one it
/// could not be said what comes behind it.
const RANGE_MAX: Range = Range(u32::MAX - 2);

impl Partitions {
    /// The partitions of `engine`, which has nothing or partitions, and which nobody writes to but
    /// through them. What a crash left of replacements is on the list of leftovers.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when the engine holds anything else, [`Error::Corrupt`] when the directory
    /// contradicts itself, and what reading and writing the engine can fail with.
    pub fn open(engine: Arc<dyn Engine>) -> Result<Arc<Self>> {
        let keyspaces = engine.stats().keyspaces.len();
        if keyspaces == 0 {
            return Err(Error::Invalid { what: "the engine has no keyspaces".to_owned() });
        }
        let Directory { next, partitions, leftovers } = match Directory::read(&*engine, keyspaces)?
        {
            Some(directory) => directory,
            None => {
                let directory = Directory::empty();
                let mut batch = Batch::new();
                directory::put_head(&mut batch, directory.next);
                engine.commit(&batch, Durability::Memory)?;
                directory
            }
        };
        let open = |(id, range)| (id, Arc::new(Partition::new(Arc::clone(&engine), id, range)));
        let book = Book { next, partitions: partitions.into_iter().map(open).collect(), leftovers };
        let book = Mutex::new(book);
        Ok(Arc::new(Partitions { engine, keyspaces, book, removing: Mutex::default() }))
    }

    /// The engine. What it is asked to write goes by the partitions.
    pub fn engine(&self) -> &Arc<dyn Engine> {
        &self.engine
    }

    /// The numbers of all partitions, in order.
    pub fn list(&self) -> Vec<PartitionId> {
        self.book().partitions.keys().copied().collect()
    }

    /// The partition `id`; `None` when there is none.
    pub fn get(&self, id: PartitionId) -> Option<Arc<Partition>> {
        self.book().partitions.get(&id).cloned()
    }

    /// Makes an empty partition. It survives the loss of power once this has returned.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when there is a partition `id`, and what a commit can fail with.
    pub fn create(&self, id: PartitionId) -> Result<Arc<Partition>> {
        let mut book = self.book();
        if book.partitions.contains_key(&id) {
            return Err(Error::Invalid { what: format!("there is a partition {id} already") });
        }
        let mut batch = Batch::new();
        let range = book.take_range(&mut batch)?;
        directory::put_partition(&mut batch, id, range);
        self.engine.commit(&batch, Durability::Disk)?;
        book.next = Range(range.0 + 1);
        let partition = Arc::new(Partition::new(Arc::clone(&self.engine), id, range));
        book.partitions.insert(id, Arc::clone(&partition));
        Ok(partition)
    }

    /// Drops a partition, at one instant and for good; what it had becomes a leftover. Waits for the
    /// commits that are under way.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when there is no partition `id`, or while it is being replaced, and what a
    /// commit can fail with.
    pub fn remove(&self, id: PartitionId) -> Result<()> {
        let mut book = self.book();
        let partition = book.partition(id)?;
        partition.turn(State::Open, State::Dropped)?;
        let range = partition.range()?;
        let mut batch = Batch::new();
        directory::delete_partition(&mut batch, id);
        directory::put_leftover(&mut batch, range);
        if let Err(error) = self.engine.commit(&batch, Durability::Disk) {
            partition.turn(State::Dropped, State::Open)?;
            return Err(error);
        }
        partition.set_range(None);
        book.partitions.remove(&id);
        book.leftovers.insert(range);
        Ok(())
    }

    /// Commits batches of several partitions as one, see [`Engine::commit_all`]. Of two batches of the
    /// same partition the later one wins.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when one of them is being replaced, was dropped, or is another engine's, and
    /// what a commit can fail with. Nothing is committed then.
    pub fn commit_all(
        &self,
        batches: &[(&Partition, &Batch)],
        durability: Durability,
    ) -> Result<()> {
        // Who is to turn one of them waits for its commits, and they for nobody, since everybody comes
        // by them in the same order.
        let mut partitions: Vec<&Partition> = batches.iter().map(|(one, _)| *one).collect();
        partitions.sort_by_key(|partition| partition.id());
        partitions.dedup_by_key(|partition| partition.id());
        let mut open = BTreeMap::new();
        for partition in &partitions {
            if !partition.is_of(&self.engine) {
                let id = partition.id();
                return Err(Error::Invalid { what: format!("partition {id} is another engine's") });
            }
            let (guard, range) = partition.begin_commit()?;
            open.insert(partition.id(), (guard, range.prefix()));
        }
        let parts = batches.iter();
        let parts =
            parts.map(|(partition, batch)| Part { prefix: &open[&partition.id()].1, batch });
        self.engine.commit_all(&parts.collect::<Vec<_>>(), durability)?;
        partitions.iter().for_each(|partition| partition.count_commit());
        Ok(())
    }

    /// Begins to replace all that a partition has, in all keyspaces. Waits for the commits that are
    /// under way; until the replacement has ended, others are refused.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when there is no partition `id`, or while it is being replaced, and what a
    /// commit can fail with.
    pub fn replace(self: &Arc<Self>, id: PartitionId) -> Result<Replacement> {
        let mut book = self.book();
        let partition = book.partition(id)?;
        partition.turn(State::Open, State::Replacing)?;
        match self.begin_range(&mut book) {
            Ok(range) => Ok(Replacement::new(Arc::clone(self), partition, range)),
            Err(error) => {
                partition.turn(State::Replacing, State::Open)?;
                Err(error)
            }
        }
    }

    /// A range that is a leftover until it is somebody's content.
    fn begin_range(&self, book: &mut Book) -> Result<Range> {
        let mut batch = Batch::new();
        let range = book.take_range(&mut batch)?;
        directory::put_leftover(&mut batch, range);
        // What is written to it comes later in the order of commits, and so is lost before this is.
        self.engine.commit(&batch, Durability::Memory)?;
        book.next = Range(range.0 + 1);
        Ok(range)
    }

    /// Makes `range` the content of a partition that is being replaced, and its old one a leftover.
    pub(super) fn finish(&self, partition: &Partition, range: Range) -> Result<()> {
        let mut book = self.book();
        let old = partition.range()?;
        let mut batch = Batch::new();
        directory::put_partition(&mut batch, partition.id(), range);
        directory::delete_leftover(&mut batch, range);
        directory::put_leftover(&mut batch, old);
        self.engine.commit(&batch, Durability::Disk)?;
        partition.set_range(Some(range));
        book.leftovers.insert(old);
        partition.turn(State::Replacing, State::Open)
    }

    /// Lets a partition that is being replaced be what it was, and `range` go.
    pub(super) fn abandon(&self, partition: &Partition, range: Range) -> Result<()> {
        self.book().leftovers.insert(range);
        partition.turn(State::Replacing, State::Open)
    }

    /// How many ranges are to be removed.
    pub fn leftovers(&self) -> usize {
        self.book().leftovers.len()
    }

    /// Removes what was dropped, replaced, or abandoned, which takes as long as there is of it, beside
    /// readers and writers. Snapshots that show it go on showing it. After an error or a crash it is
    /// called again, and goes on.
    ///
    /// # Errors
    ///
    /// What removing a range or a commit can fail with.
    pub fn remove_leftovers(&self) -> Result<()> {
        let _one = self.removing.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let Some(range) = self.book().leftovers.first().copied() else { return Ok(()) };
            for keyspace in (0..self.keyspaces as u8).map(Keyspace) {
                range.with_bounds(Bounds::ALL, |all| self.engine.remove_range(keyspace, all))?;
            }
            let mut batch = Batch::new();
            directory::delete_leftover(&mut batch, range);
            let mut book = self.book();
            self.engine.commit(&batch, Durability::Memory)?;
            book.leftovers.remove(&range);
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn partition(&self, id: PartitionId) -> Result<Arc<Partition>> {
        let partition = self.partitions.get(&id).cloned();
        partition.ok_or_else(|| Error::Invalid { what: format!("there is no partition {id}") })
    }

    /// The range that is used next, which `batch` notes.
    fn take_range(&self, batch: &mut Batch) -> Result<Range> {
        if self.next > RANGE_MAX {
            return Err(Error::Invalid {
                what: format!(
                    "an engine can hold {} partitions and replacements ever",
                    RANGE_MAX.0
                ),
            });
        }
        directory::put_head(batch, Range(self.next.0 + 1));
        Ok(self.next)
    }
}
