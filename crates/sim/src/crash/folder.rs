//! [`Folder`]: one data folder through its cycles.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use velocitydb::Mode;

use super::audit::{Audit, audit};
use super::power::lose_power;
use crate::Random;
use crate::check::{Known, Violation};
use crate::history::History;

/// How a worker is started: a program that calls [`Worker::run`](super::Worker::run) with what its
/// command line says.
#[derive(Debug, Clone)]
pub struct Starter {
    /// The program.
    pub program: OsString,
}

/// The fault that is injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// `kill -9`.
    Kill,
    /// `kill -9`, and the part of the journal that was not fsynced is damaged.
    Power,
}

/// One data folder through its cycles.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    mode: Mode,
    fault: Fault,
    seed: u64,
    cycle: u32,
    known: Known,
}

/// The outcome of one cycle.
#[derive(Debug)]
pub struct Cycle {
    /// What the audit found.
    pub audit: Audit,
    /// Operations that were acknowledged.
    pub acknowledged: u64,
    /// Operations that were in flight when the worker died.
    pub in_flight: u64,
    /// Whether the worker died before it had opened the database.
    pub is_early: bool,
    /// How the journal was damaged.
    pub damage: Option<String>,
}

/// Why a cycle could not be audited. A folder that cannot be opened is a violation as well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The worker could not be started, or its output not be read.
    #[error("the worker could not be run: {0}")]
    Worker(#[from] io::Error),
    /// The folder could not be opened or read after the crash.
    #[error("the folder is lost: {error}{}", damage.as_deref().map(|it| format!(" ({it})")).unwrap_or_default())]
    Folder {
        /// The database's error.
        error: Box<velocitydb::Error>,
        /// How the journal was damaged.
        damage: Option<String>,
    },
}

impl Folder {
    /// A folder at `path`, which does not exist yet; `seed` decides its cycles.
    pub fn new(path: PathBuf, mode: Mode, fault: Fault, seed: u64) -> Self {
        Folder { path, mode, fault, seed, cycle: 0, known: Known::default() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many cycles it has had.
    pub fn cycles(&self) -> u32 {
        self.cycle
    }

    /// One more cycle: work, death, audit.
    ///
    /// # Errors
    ///
    /// When the worker cannot be run, or when the folder cannot be read after it.
    pub fn cycle(&mut self, starter: &Starter) -> Result<Cycle, Error> {
        let mut random = Random::part(self.seed, u64::from(self.cycle));
        self.cycle += 1;
        let worker = self.start(starter, random.number())?;
        let (mut history, killed) = listen(worker, self.mode, &mut random)?;
        history.finish();
        let mut damage = None;
        if let (Fault::Power, Some(durable)) = (self.fault, history.durable_journal) {
            damage = lose_power(&self.path, durable, &mut random)?;
        }
        let audit = audit(&self.path, &self.known, &history, killed, &mut random);
        let mut audit =
            audit.map_err(|error| Error::Folder { error: error.into(), damage: damage.clone() })?;
        self.known = std::mem::take(&mut audit.known);
        Ok(Cycle {
            acknowledged: history.acknowledged(),
            in_flight: history.in_flight(),
            is_early: !history.is_opened,
            damage,
            audit,
        })
    }

    fn start(&self, starter: &Starter, seed: u64) -> io::Result<Child> {
        let journal = if self.fault == Fault::Power { "reported" } else { "ignored" };
        Command::new(&starter.program)
            .arg("worker")
            .arg(&self.path)
            .args([super::campaign::mode_name(self.mode), &seed.to_string()])
            .args([&self.cycle.to_string(), journal])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
    }
}

/// When a worker is killed.
enum Moment {
    /// This long after it was started: mostly while it opens and recovers the database.
    AfterStart(Duration),
    /// This long after it had opened the database.
    AfterOpening(Duration),
}

impl Moment {
    fn random(random: &mut Random) -> Self {
        let micros = |random: &mut Random, max| Duration::from_micros(random.within(0..max));
        match random.within(0..8) {
            0 => Moment::AfterStart(micros(random, 40_000)),
            1 => Moment::AfterOpening(micros(random, 1_000)),
            2..=5 => Moment::AfterOpening(micros(random, 80_000)),
            _ => Moment::AfterOpening(micros(random, 400_000)),
        }
    }
}

/// The longest time that a worker may take to open the database.
const OPENING_MAX: Duration = Duration::from_secs(120);

/// Reads the output of a worker, kills it, and reads the rest.
fn listen(mut worker: Child, mode: Mode, random: &mut Random) -> io::Result<(History, Instant)> {
    let moment = Moment::random(random);
    let started = Instant::now();
    let output = worker.stdout.take().expect("it was started with a pipe");
    let (opened, is_opened) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || read(output, mode, &opened));
    match moment {
        Moment::AfterStart(wait) => std::thread::sleep(wait.saturating_sub(started.elapsed())),
        Moment::AfterOpening(wait) => {
            // An error means that the worker ended by itself, or hangs; the history shows
            // which.
            if is_opened.recv_timeout(OPENING_MAX).is_ok() {
                std::thread::sleep(wait);
            }
        }
    }
    let killed = Instant::now();
    worker.kill()?;
    worker.wait()?;
    let history = reader.join().map_err(|_| io::Error::other("the reader panicked"))??;
    Ok((history, killed))
}

fn read(
    output: impl io::Read,
    mode: Mode,
    opened: &std::sync::mpsc::Sender<()>,
) -> io::Result<History> {
    let mut history = History::new(mode);
    for line in BufReader::new(output).lines() {
        let record = line?.parse().map_err(io::Error::other)?;
        history.add(record, Instant::now());
        if history.is_opened {
            // The receiver is dropped after the first message.
            let _ = opened.send(());
        }
    }
    Ok(history)
}

impl Cycle {
    /// The violations.
    pub fn violations(&self) -> &[Violation] {
        &self.audit.violations
    }
}
