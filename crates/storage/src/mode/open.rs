//! [`open`]: opens the engine of a mode.

use std::sync::Arc;

use super::disk::Disk;
use super::memory_first::MemoryFirst;
use super::options::{Mode, Options};
use crate::cache::Fill;
use crate::memory::Memory;
use crate::{Engine, Error, Result, lsm};

/// Opens an engine in the mode that the options name.
///
/// ```
/// use velocitydb_storage::{Batch, Durability, Engine, Keyspace};
/// use velocitydb_storage::mode::{Mode, Options, open};
///
/// let engine = open(&Options::new(Mode::MemoryOnly, &["documents"]))?;
/// let mut batch = Batch::new();
/// batch.put(Keyspace(0), b"key", b"value");
/// engine.commit(&batch, Durability::Memory)?;
/// assert_eq!(&*engine.get(Keyspace(0), b"key")?.expect("it was put"), b"value");
/// # Ok::<(), velocitydb_storage::Error>(())
/// ```
pub fn open(options: &Options) -> Result<Arc<dyn Engine>> {
    options.validate()?;
    Ok(match options.mode {
        Mode::MemoryOnly => Arc::new(Memory::new(options.keyspaces.len())),
        // Nothing is to be written later.
        Mode::MemoryFirst if options.is_read_only => Arc::new(Disk::open(options, Fill::Reads)?),
        Mode::MemoryFirst => Arc::new(MemoryFirst::open(options)?),
        Mode::Hybrid => Arc::new(Disk::open(options, Fill::ReadsAndWrites)?),
        Mode::Persistent => Arc::new(Disk::open(options, Fill::Reads)?),
    })
}

/// [Migrates](lsm::migrate()) the data folder of these options, if it has the format before this one.
///
/// # Errors
///
/// What `convert` returns, and failures of storage.
pub fn migrate<E: From<Error>>(
    options: &Options,
    convert: impl FnOnce(&dyn Engine) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    options.validate()?;
    match options.mode {
        Mode::MemoryOnly => Ok(()),
        Mode::MemoryFirst | Mode::Hybrid | Mode::Persistent => lsm::migrate(options.lsm(), convert),
    }
}
