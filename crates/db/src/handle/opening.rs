//! Opening a database: in a folder, in memory, or on an engine of the caller's.

use std::path::Path;
use std::sync::Arc;

use velocitydb_storage::{Engine, Mode, mode};

use super::database::Database;
use crate::{Options, Result, migration};

impl Options {
    /// Opens the database in the folder `path`, which is created if it does not exist, and migrated if it
    /// has the format before this one.
    ///
    /// # Errors
    ///
    /// When another process has it open, it is not a data folder, its format is newer than this version,
    /// its data is corrupt, or an option is out of bounds; [`Error::NotMigrated`](crate::Error::NotMigrated)
    /// when something in a folder of the format before has a name that is reserved now.
    pub fn open(mut self, path: impl AsRef<Path>) -> Result<Database> {
        self.storage.path = Some(path.as_ref().to_path_buf());
        self.start()
    }

    /// Opens a database on an engine of the caller's, for tests with engines that fail.
    #[doc(hidden)]
    pub fn open_engine(self, engine: Arc<dyn Engine>) -> Result<Database> {
        Database::start(engine, self)
    }

    /// Opens a database in memory only, whatever mode was chosen.
    ///
    /// # Errors
    ///
    /// When the operating system cannot start a thread.
    pub fn open_in_memory(self) -> Result<Database> {
        self.mode(Mode::MemoryOnly).start()
    }

    fn start(self) -> Result<Database> {
        if !self.storage.is_read_only {
            mode::migrate(&self.storage, migration::convert)?;
        }
        let engine = mode::open(&self.storage)?;
        Database::start(engine, self)
    }
}

/// Opens the database in the folder `path` with the default options: persistent, with every acknowledged
/// write on the disk. The folder is created if it does not exist.
///
/// # Errors
///
/// As for [`Options::open`].
pub fn open(path: impl AsRef<Path>) -> Result<Database> {
    Options::new().open(path)
}

/// Opens a database in memory only. Its data is gone with its last handle.
///
/// # Errors
///
/// As for [`Options::open_in_memory`].
pub fn open_in_memory() -> Result<Database> {
    Options::new().open_in_memory()
}
