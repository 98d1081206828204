//! [`Worker`]: the process that is killed. It does operations on several threads until it dies.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::exit;

use velocitydb::{Consistency, Database, Mode, Options};

use super::power;
use crate::Random;
use crate::operation::{Operation, What};
use crate::perform::{self, Done};
use crate::record::Record;
use crate::workload::Workload;

/// What a worker is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// The data folder; not looked at in `memory-only`.
    pub path: PathBuf,
    /// The storage mode.
    pub mode: Mode,
    /// Decides what it does.
    pub seed: u64,
    /// The number of the cycle in the life of the folder.
    pub cycle: u32,
    /// Whether it tells how long the journal is.
    pub journal: Journal,
}

/// Whether a worker tells how long the journal is when a write has become durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Journal {
    /// It does not.
    Ignored,
    /// It does, after each write that is promised to survive.
    Told,
}

/// How many threads do operations.
pub const THREADS: u8 = 4;

/// Bytes of memory: as little as there can be, so that write buffers are flushed and compacted.
const MEMORY_BYTES: u64 = 16 << 20;

/// How much one step of maintenance does: little, so that what is due takes several.
const MAINTENANCE_STEP: u32 = 20;

impl Worker {
    /// The options that it opens the database with; the auditor uses the same.
    pub fn options(mode: Mode) -> Options {
        Options::new().mode(mode).memory_budget(MEMORY_BYTES).maintenance_step(MAINTENANCE_STEP)
    }

    /// Opens the database and does operations until the process is killed, or until nobody listens
    /// any more.
    pub fn run(&self) {
        let opened = match self.mode {
            Mode::MemoryOnly => Self::options(self.mode).open_in_memory(),
            mode => Self::options(mode).open(&self.path),
        };
        let db = match opened.and_then(|db| perform::create_accounts(&db).map(|()| db)) {
            Ok(db) => db,
            Err(error) => return tell(&Record::Failed { message: format!("opening: {error}") }),
        };
        tell(&Record::Opened);
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let db = db.clone();
                scope.spawn(move || self.work(&db, thread));
            }
        });
    }

    fn work(&self, db: &Database, thread: u8) {
        let random = Random::part(self.seed, u64::from(thread));
        let mut workload = Workload::new(random, self.cycle, thread);
        if self.journal == Journal::Told {
            workload = workload.mostly_local();
        }
        loop {
            let operation = workload.next_operation(&mut |register| perform::read(db, register));
            tell(&Record::Begin(operation));
            let result = perform::perform(db, &operation);
            if let (Ok(Done::Claimed { version, job, .. }), What::Claim { lease, .. }) =
                (&result, operation.what)
            {
                workload.has_claimed(*job, *version, lease);
            }
            if self.journal == Journal::Told
                && matches!(
                    result,
                    Ok(Done::Applied { .. } | Done::Claimed { .. } | Done::Added { .. })
                )
                && is_promised(&operation)
            {
                tell(&durable(&self.path));
            }
            let is_answered = result.is_ok();
            tell(&answer(&operation, result));
            if is_answered && !matches!(perform::is_reuse_refused(db, &operation), Ok(true)) {
                let message = format!("{operation}: its request id was taken for something else");
                tell(&Record::Failed { message });
            }
        }
    }
}

/// How long the journal is; that it cannot be read would make the audit wrong.
fn durable(path: &Path) -> Record {
    match power::journal_end(path) {
        Ok(end) => Record::Durable(end),
        Err(error) => Record::Failed { message: format!("the journal cannot be read: {error}") },
    }
}

fn is_promised(operation: &Operation) -> bool {
    match operation.what {
        What::Write { .. } | What::Add => operation.level > Consistency::Local,
        _ => true,
    }
}

fn answer(operation: &Operation, result: velocitydb::Result<Done>) -> Record {
    let id = operation.id;
    match result {
        Ok(Done::Nothing) => Record::Nothing(id),
        Ok(Done::Applied { is_replayed: true, .. } | Done::Added { is_replayed: true, .. }) => {
            Record::Failed { message: format!("{operation}: answered before it was ever asked") }
        }
        Ok(Done::Applied { index, version, .. }) => Record::Applied { id, index, version },
        Ok(Done::Claimed { index, version, job }) => Record::Claimed { id, index, version, job },
        Ok(Done::Added { index, version, document, .. }) => {
            Record::Added { id, index, version, document }
        }
        Err(error) => Record::Failed { message: format!("{operation}: {error}") },
    }
}

/// Writes one line at once. Without a listener there is nothing left to do.
fn tell(record: &Record) {
    let line = format!("{record}\n");
    if std::io::stdout().lock().write_all(line.as_bytes()).is_err() {
        exit(1);
    }
}
