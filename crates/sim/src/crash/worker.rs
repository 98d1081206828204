//! [`Worker`]: the process that is killed. It executes operations on several threads until then.

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

/// The parameters of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// The data folder; ignored in `memory-only`.
    pub path: PathBuf,
    /// The storage mode.
    pub mode: Mode,
    /// The seed of its operations.
    pub seed: u64,
    /// The number of the cycle on the folder.
    pub cycle: u32,
    /// Whether it reports the length of the journal.
    pub journal: Journal,
}

/// Whether a worker reports the length of the journal when a write has become durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Journal {
    /// It does not report it.
    Ignored,
    /// It reports it after each write that is promised to survive.
    Reported,
}

/// How many threads execute operations.
pub const THREADS: u8 = 4;

/// The memory budget: the smallest possible, so that write buffers are flushed and compacted.
const MEMORY_BYTES: u64 = 16 << 20;

/// How much one step of maintenance does: little, so that due work takes several steps.
const MAINTENANCE_STEP: u32 = 20;

impl Worker {
    /// The options that it opens the database with; the auditor uses the same.
    pub fn options(mode: Mode) -> Options {
        Options::new().mode(mode).memory_budget(MEMORY_BYTES).maintenance_step(MAINTENANCE_STEP)
    }

    /// Opens the database and executes operations until the process is killed, or its output is
    /// closed.
    pub fn run(&self) {
        let opened = match self.mode {
            Mode::MemoryOnly => Self::options(self.mode).open_in_memory(),
            mode => Self::options(mode).open(&self.path),
        };
        let db = match opened.and_then(|db| perform::prepare(&db).map(|()| db)) {
            Ok(db) => db,
            Err(error) => return send(&Record::Failed { message: format!("opening: {error}") }),
        };
        send(&Record::Opened);
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
        if self.journal == Journal::Reported {
            workload = workload.mostly_local();
        }
        loop {
            let operation = workload.next_operation(&mut |register| perform::read(db, register));
            send(&Record::Begin(operation));
            let result = perform::perform(db, &operation);
            if let (Ok(Done::Claimed { version, job, .. }), What::Claim { lease, .. }) =
                (&result, operation.what)
            {
                workload.has_claimed(*job, *version, lease);
            }
            if self.journal == Journal::Reported
                && matches!(
                    result,
                    Ok(Done::Applied { .. } | Done::Claimed { .. } | Done::Added { .. })
                )
                && is_promised(&operation)
            {
                send(&durable(&self.path));
            }
            let is_answered = result.is_ok();
            send(&answer(&operation, result));
            if is_answered && !matches!(perform::is_reuse_refused(db, &operation), Ok(true)) {
                let message = format!("{operation}: its request id was taken for something else");
                send(&Record::Failed { message });
            }
        }
    }
}

/// The length of the journal; a failure is reported, since without it the audit would be wrong.
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

/// Writes and flushes one line. Without a reader the process ends.
fn send(record: &Record) {
    let line = format!("{record}\n");
    if std::io::stdout().lock().write_all(line.as_bytes()).is_err() {
        exit(1);
    }
}
