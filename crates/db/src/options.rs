//! [`Options`]: how a database is opened.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use velocitydb_storage::{Mode, mode};

use crate::environment::SystemEnvironment;
use crate::keys::{DOCUMENTS, KEYSPACE_NAMES};
use crate::{Database, Environment, Result};

/// How a database is opened.
///
/// ```no_run
/// # fn main() -> velocitydb::Result<()> {
/// use velocitydb::{Mode, Options};
///
/// let db = Options::new().mode(Mode::Hybrid).memory_budget(256 << 20).open("data")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Options {
    pub(crate) mode: Mode,
    pub(crate) environment: Arc<dyn Environment>,
    pub(crate) maintenance: MaintenanceMode,
    pub(crate) tombstone_retention: Duration,
    pub(crate) request_retention: Duration,
    storage: mode::Options,
}

/// Who does what time makes due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MaintenanceMode {
    /// A thread of the database.
    #[default]
    Automatic,
    /// The caller, by [`Database::maintain`].
    Manual,
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

impl Options {
    /// Persistent, with the defaults of everything.
    pub fn new() -> Self {
        Options {
            mode: Mode::Persistent,
            environment: Arc::new(SystemEnvironment),
            maintenance: MaintenanceMode::Automatic,
            tombstone_retention: Duration::from_secs(24 * 60 * 60),
            request_retention: Duration::from_secs(24 * 60 * 60),
            storage: mode::Options::new(&KEYSPACE_NAMES).cached_keyspace(DOCUMENTS),
        }
    }

    /// The storage mode, which decides where documents live and what a crash loses.
    pub fn mode(self, mode: Mode) -> Self {
        Options { mode, ..self }
    }

    /// How many bytes of memory the disk modes may use, caches and write buffers together. The
    /// default is 256 MiB, the least 64 MiB.
    pub fn memory_budget(mut self, bytes: u64) -> Self {
        self.storage = self.storage.memory_budget(bytes);
        self
    }

    /// For how long the last version of a deleted document is remembered, so that one inserted
    /// under the same id continues it. The default is 24 hours.
    pub fn tombstone_retention(self, tombstone_retention: Duration) -> Self {
        Options { tombstone_retention, ..self }
    }

    /// For how long request ids are remembered at the most; their number is bounded too, by
    /// [`REQUEST_COUNT_MAX`](crate::REQUEST_COUNT_MAX). The default is 24 hours.
    pub fn request_retention(self, request_retention: Duration) -> Self {
        Options { request_retention, ..self }
    }

    /// Where time and randomness come from.
    pub fn environment(self, environment: Arc<dyn Environment>) -> Self {
        Options { environment, ..self }
    }

    /// Who does what time makes due.
    pub fn maintenance(self, maintenance: MaintenanceMode) -> Self {
        Options { maintenance, ..self }
    }

    /// Opens the database in the folder `path`, which is made when it does not exist.
    ///
    /// # Errors
    ///
    /// When another process has it open, it is not a data folder, its format is newer than this
    /// version, its data are corrupt, or an option is out of bounds.
    pub fn open(self, path: impl AsRef<Path>) -> Result<Database> {
        let engine = mode::open(&self.storage.clone().mode(self.mode).path(path.as_ref()))?;
        Database::start(engine, self)
    }

    /// Opens a database that lives in memory alone, whatever mode was chosen.
    ///
    /// # Errors
    ///
    /// When the operating system gives no thread.
    pub fn open_in_memory(mut self) -> Result<Database> {
        self.mode = Mode::MemoryOnly;
        let engine = mode::open(&self.storage.clone().mode(self.mode))?;
        Database::start(engine, self)
    }
}

/// Opens the database in the folder `path` with the default options: persistent, every
/// acknowledged write on the disk. The folder is made when it does not exist.
///
/// # Errors
///
/// As for [`Options::open`].
pub fn open(path: impl AsRef<Path>) -> Result<Database> {
    Options::new().open(path)
}

/// Opens a database that lives in memory alone and ends with its last handle.
///
/// # Errors
///
/// As for [`Options::open_in_memory`].
pub fn open_in_memory() -> Result<Database> {
    Options::new().open_in_memory()
}
