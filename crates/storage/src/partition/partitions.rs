//! [`Partitions`]: the owner of an engine's directory. It alone assigns ranges to partitions.

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
    registry: Mutex<Registry>,
    /// Locked while leftovers are removed.
    removing: Mutex<()>,
}

/// The content of the directory, as handles. It is changed after the rows.
struct Registry {
    next: Range,
    partitions: BTreeMap<PartitionId, Arc<Partition>>,
    /// The ranges to be removed, except one that is just being written.
    leftovers: BTreeSet<Range>,
}

/// How many ranges an engine can ever have. The last two numbers are not used: the last would have no
/// key after its range.
const RANGE_MAX: Range = Range(u32::MAX - 2);

impl Partitions {
    /// The partitions of `engine`, which is empty or has partitions, and is only written to through
    /// them. What a crash left of replacements is listed as leftovers.
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
        let registry =
            Registry { next, partitions: partitions.into_iter().map(open).collect(), leftovers };
        let registry = Mutex::new(registry);
        Ok(Arc::new(Partitions { engine, keyspaces, registry, removing: Mutex::default() }))
    }

    /// The engine. Writing to it directly bypasses the partitions.
    pub fn engine(&self) -> &Arc<dyn Engine> {
        &self.engine
    }

    /// The numbers of all partitions, in order.
    pub fn list(&self) -> Vec<PartitionId> {
        self.registry().partitions.keys().copied().collect()
    }

    /// The partition `id`; `None` when there is none.
    pub fn get(&self, id: PartitionId) -> Option<Arc<Partition>> {
        self.registry().partitions.get(&id).cloned()
    }

    /// Creates an empty partition. It survives a loss of power once this has returned.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when there is a partition `id`, and what a commit can fail with.
    pub fn create(&self, id: PartitionId) -> Result<Arc<Partition>> {
        let mut registry = self.registry();
        if registry.partitions.contains_key(&id) {
            return Err(Error::Invalid { what: format!("there is a partition {id} already") });
        }
        let mut batch = Batch::new();
        let range = registry.take_range(&mut batch)?;
        directory::put_partition(&mut batch, id, range);
        self.engine.commit(&batch, Durability::Disk)?;
        registry.next = Range(range.0 + 1);
        let partition = Arc::new(Partition::new(Arc::clone(&self.engine), id, range));
        registry.partitions.insert(id, Arc::clone(&partition));
        Ok(partition)
    }

    /// Drops a partition atomically and durably; its content becomes a leftover. Waits for commits in
    /// flight.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when there is no partition `id`, or while it is being replaced, and what a
    /// commit can fail with.
    pub fn remove(&self, id: PartitionId) -> Result<()> {
        let mut registry = self.registry();
        let partition = registry.partition(id)?;
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
        registry.partitions.remove(&id);
        registry.leftovers.insert(range);
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
        // Replacing or dropping a partition waits for its commits. There is no deadlock, since all
        // commits lock partitions in the same order.
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

    /// Begins to replace the whole content of a partition, in all keyspaces. Waits for commits in
    /// flight; until the replacement has ended, others are refused.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when there is no partition `id`, or while it is being replaced, and what a
    /// commit can fail with.
    pub fn replace(self: &Arc<Self>, id: PartitionId) -> Result<Replacement> {
        let mut registry = self.registry();
        let partition = registry.partition(id)?;
        partition.turn(State::Open, State::Replacing)?;
        match self.begin_range(&mut registry) {
            Ok(range) => Ok(Replacement::new(Arc::clone(self), partition, range)),
            Err(error) => {
                partition.turn(State::Replacing, State::Open)?;
                Err(error)
            }
        }
    }

    /// A range that is a leftover until it becomes the content of a partition.
    fn begin_range(&self, registry: &mut Registry) -> Result<Range> {
        let mut batch = Batch::new();
        let range = registry.take_range(&mut batch)?;
        directory::put_leftover(&mut batch, range);
        // The writes to it are later in the order of commits, so a crash loses them before this.
        self.engine.commit(&batch, Durability::Memory)?;
        registry.next = Range(range.0 + 1);
        Ok(range)
    }

    /// Makes `range` the content of a partition that is being replaced, and its old one a leftover.
    pub(super) fn finish(&self, partition: &Partition, range: Range) -> Result<()> {
        let mut registry = self.registry();
        let old = partition.range()?;
        let mut batch = Batch::new();
        directory::put_partition(&mut batch, partition.id(), range);
        directory::delete_leftover(&mut batch, range);
        directory::put_leftover(&mut batch, old);
        self.engine.commit(&batch, Durability::Disk)?;
        partition.set_range(Some(range));
        registry.leftovers.insert(old);
        partition.turn(State::Replacing, State::Open)
    }

    /// Ends a replacement without effect, and makes `range` a leftover.
    pub(super) fn abandon(&self, partition: &Partition, range: Range) -> Result<()> {
        self.registry().leftovers.insert(range);
        partition.turn(State::Replacing, State::Open)
    }

    /// How many ranges are to be removed.
    pub fn leftovers(&self) -> usize {
        self.registry().leftovers.len()
    }

    /// Removes what was dropped, replaced, or abandoned, in time proportional to its size,
    /// concurrently with readers and writers. Existing snapshots still have it. After an error or a
    /// crash, calling it again resumes.
    ///
    /// # Errors
    ///
    /// What removing a range or a commit can fail with.
    pub fn remove_leftovers(&self) -> Result<()> {
        let _one = self.removing.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let Some(range) = self.registry().leftovers.first().copied() else { return Ok(()) };
            for keyspace in (0..self.keyspaces as u8).map(Keyspace) {
                range.with_bounds(Bounds::ALL, |all| self.engine.remove_range(keyspace, all))?;
            }
            let mut batch = Batch::new();
            directory::delete_leftover(&mut batch, range);
            let mut registry = self.registry();
            self.engine.commit(&batch, Durability::Memory)?;
            registry.leftovers.remove(&range);
        }
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registry {
    fn partition(&self, id: PartitionId) -> Result<Arc<Partition>> {
        let partition = self.partitions.get(&id).cloned();
        partition.ok_or_else(|| Error::Invalid { what: format!("there is no partition {id}") })
    }

    /// The next unused range, which `batch` records.
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
