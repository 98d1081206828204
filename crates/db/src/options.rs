//! [`Options`]: the options of opening a database.

use std::sync::Arc;
use std::time::Duration;

use velocitydb_storage::{Mode, mode};

use crate::apply::{Change, OnChanges};
use crate::environment::{Environment, SystemEnvironment};
use crate::keys::{DOCUMENTS, KEYSPACE_NAMES};

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
    pub(crate) environment: Arc<dyn Environment>,
    pub(crate) maintenance: MaintenanceMode,
    pub(crate) maintenance_step: u32,
    pub(crate) tombstone_retention: Duration,
    pub(crate) request_retention: Duration,
    pub(crate) on_changes: Option<Arc<OnChanges>>,
    pub(crate) storage: mode::Options,
}

/// What runs maintenance: expiring documents, ending leases, removing what was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MaintenanceMode {
    /// A thread of the database.
    #[default]
    Automatic,
    /// The caller, by [`Database::maintain`](crate::Database::maintain) or [`maintain_step`](crate::Database::maintain_step).
    Manual,
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

impl Options {
    /// Persistent, with all defaults.
    pub fn new() -> Self {
        Options {
            environment: Arc::new(SystemEnvironment),
            maintenance: MaintenanceMode::Automatic,
            maintenance_step: 1_000,
            tombstone_retention: Duration::from_secs(24 * 60 * 60),
            request_retention: Duration::from_secs(24 * 60 * 60),
            on_changes: None,
            storage: mode::Options {
                document_keyspace: DOCUMENTS,
                ..mode::Options::new(Mode::Persistent, &KEYSPACE_NAMES)
            },
        }
    }

    /// The storage mode, which decides where documents live and what a crash loses. The default
    /// is [`Mode::Persistent`]. A folder can be opened in another mode than it was written in.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.storage.mode = mode;
        self
    }

    /// How many bytes of memory the disk modes may use, caches and write buffers together. The
    /// default is 256 MiB, the least 16 MiB.
    pub fn memory_budget(mut self, bytes: u64) -> Self {
        self.storage.memory_bytes = bytes;
        self
    }

    /// The interval of the background fsync for writes that do not wait for one: the most that a power
    /// failure loses in `hybrid`, and of `local` writes in `persistent`. The default is 100 ms.
    pub fn sync_interval(mut self, interval: Duration) -> Self {
        self.storage.sync_interval = interval;
        self
    }

    /// The most that a crash loses in `memory-first`: the writes of this time, or this many bytes
    /// of them, whatever comes first. When the disk does not keep up, writers wait. The defaults
    /// are 100 ms and 16 MiB.
    pub fn memory_first_bounds(mut self, delay_max: Duration, bytes_max: u64) -> Self {
        self.storage.delay_max = delay_max;
        self.storage.behind_bytes_max = bytes_max;
        self
    }

    /// How many bytes of the disk stay free: with less, writes are refused, while reads go on. The
    /// default leaves room for flushing and compacting.
    pub fn disk_reserve(mut self, bytes: u64) -> Self {
        self.storage.disk_reserve_bytes = Some(bytes);
        self
    }

    /// How long opening waits for another process or handle to close the folder. By default it fails at
    /// once; commands that each have a folder open for a moment can wait for each other.
    pub fn wait(mut self, wait: Duration) -> Self {
        self.storage.wait = wait;
        self
    }

    /// Opens the folder to be read only. Nothing is written to it, so that it may be on a device or belong to
    /// a user where nothing can be; any number of processes can read it at the same time, while none writes.
    /// All writes are refused, there is no maintenance, and a folder that does not exist is an error.
    ///
    /// What is not a table is copied to the temporary folder of the system, which takes time in proportion
    /// to the journal: little after a clean close.
    pub fn read_only(mut self) -> Self {
        self.storage.is_read_only = true;
        self
    }

    /// For how long the last version of a deleted document is remembered, so that a document inserted
    /// under the same id continues it. The default is 24 hours.
    pub fn tombstone_retention(self, tombstone_retention: Duration) -> Self {
        Options { tombstone_retention, ..self }
    }

    /// For how long request ids are remembered at the most; their number is bounded too, by
    /// [`REQUEST_COUNT_MAX`](crate::REQUEST_COUNT_MAX). The default is 24 hours.
    pub fn request_retention(self, request_retention: Duration) -> Self {
        Options { request_retention, ..self }
    }

    /// The source of time and randomness.
    pub fn environment(self, environment: Arc<dyn Environment>) -> Self {
        Options { environment, ..self }
    }

    /// What runs maintenance: expiring documents, ending leases, removing what was dropped.
    pub fn maintenance(self, maintenance: MaintenanceMode) -> Self {
        Options { maintenance, ..self }
    }

    /// How much one step of maintenance does at the most, in documents that expire, leases that end
    /// and keys that are removed. Writers wait for a step, which takes about a millisecond with the
    /// default, 1,000. 0 means 1.
    pub fn maintenance_step(self, count: u32) -> Self {
        Options { maintenance_step: count.max(1), ..self }
    }

    /// Calls `listener` with the changes, in their order, once reads at every level see them: after
    /// the fsync, if one was asked for. Refused commands change nothing.
    ///
    /// The threads that write call it, before the writer is answered or soon after; other writers wait
    /// meanwhile, so it has to be quick. It may write itself; it is called with those changes after it
    /// has returned.
    ///
    /// ```
    /// # fn main() -> velocitydb::Result<()> {
    /// use std::sync::mpsc;
    /// use velocitydb::{Effect, Options, object};
    ///
    /// let (told, tells) = mpsc::channel();
    /// let options = Options::new().on_changes(move |changes| drop(told.send(changes)));
    /// let db = options.open_in_memory()?;
    /// db.documents("jobs").insert("first", object! { "state": "waiting" })?;
    /// let changes = tells.recv().expect("the insert");
    /// assert!(matches!(changes[0].effect, Effect::Created));
    /// let Effect::Document(document) = &changes[1].effect else { panic!("the document") };
    /// assert!(document.version == 1 && document.before.is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_changes(mut self, listener: impl Fn(Vec<Change>) + Send + Sync + 'static) -> Self {
        self.on_changes = Some(Arc::new(listener));
        self
    }

    /// Calls a hook before each fsync of the journal, which can delay it or make it fail: for tests and
    /// benchmarks.
    #[doc(hidden)]
    pub fn before_fsync(
        mut self,
        before: impl Fn() -> std::io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.storage.fsync_hook = velocitydb_storage::lsm::FsyncHook::new(before);
        self
    }
}
