//! [`Campaign`]: processes of claimants, each killed at a random moment, until every job is finished.

use std::fmt;
use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use velocitydb::{MaintenanceMode, Mode, Options};

use super::book::{Book, Counts, Finding};
use super::{Report, queue};
use crate::Random;
use crate::content::OperationId;
use crate::crash::campaign::mode_name;
use crate::crash::folder::Starter;

/// The parameters of a campaign.
#[derive(Debug, Clone)]
pub struct Campaign {
    /// How processes are started: a program that calls [`Claimants::run`](super::Claimants::run).
    pub starter: Starter,
    /// A data folder that does not exist yet.
    pub path: PathBuf,
    /// The storage mode; not `memory-only`, in which a kill loses everything.
    pub mode: Mode,
    /// How many jobs there are.
    pub jobs: u64,
    /// The seed, which decides the jobs and the moments of the kills.
    pub seed: u64,
    /// How many processes are killed at the most; later ones run to their end.
    pub kills_max: u32,
}

/// The outcome of a campaign.
#[derive(Debug)]
pub struct Outcome {
    /// The storage mode.
    pub mode: Mode,
    /// How many jobs there were.
    pub jobs: u64,
    /// How many processes there were.
    pub processes: u32,
    /// How many of them were killed.
    pub kills: u32,
    /// How many of those before they had opened the folder.
    pub kills_early: u32,
    /// How many hours the clock jumped in total.
    pub hours: u64,
    /// What there was, in numbers.
    pub counts: Counts,
    /// The violations.
    pub findings: Vec<Finding>,
    /// How long it took.
    pub elapsed: Duration,
}

/// The most processes of one campaign, in addition to those that are killed.
const PROCESSES_MAX: u32 = 100;

/// How far the clock jumps, in hours: longer than any lease.
const JUMP_HOURS: u64 = 2;

/// The longest time that a process lives after opening its folder.
const LIFE_MAX: Duration = Duration::from_secs(8);

impl Campaign {
    /// Runs processes until every job is finished, and compares the final state with the answers.
    ///
    /// # Errors
    ///
    /// When a process cannot be run, or the folder cannot be read in the end.
    pub fn run(&self) -> Result<Outcome, crate::crash::folder::Error> {
        let started = Instant::now();
        let mut random = Random::new(self.seed);
        let mut book = Book::new(self.mode, self.jobs);
        let mut outcome = Outcome {
            mode: self.mode,
            jobs: self.jobs,
            processes: 0,
            kills: 0,
            kills_early: 0,
            hours: 0,
            counts: Counts::default(),
            findings: Vec::new(),
            elapsed: Duration::ZERO,
        };
        // A kill leaves jobs under leases, until the clock has jumped past them. Unanswered
        // completions are not in the book, so the campaign ends when nothing is left to be claimed.
        let (mut hours, mut is_done) = (0, false);
        while !is_done && outcome.processes < self.kills_max + PROCESSES_MAX {
            let claimed = book.counts.claimed;
            let is_over = self.one(&mut outcome, &mut book, &mut random)?;
            is_done = is_over && hours > 0 && book.counts.claimed == claimed;
            hours = if is_over || random.one_in(2) { JUMP_HOURS } else { 0 };
            outcome.hours += hours;
            book.end(outcome.processes, outcome.hours);
            if !book.findings.is_empty() {
                break;
            }
        }
        self.compare(&mut book)?;
        (outcome.counts, outcome.findings) = (book.counts, book.findings);
        outcome.elapsed = started.elapsed();
        Ok(outcome)
    }

    /// Runs one process to its end or until it is killed; returns whether nothing was left to be
    /// claimed.
    fn one(&self, outcome: &mut Outcome, book: &mut Book, random: &mut Random) -> io::Result<bool> {
        outcome.processes += 1;
        let mut process = self.start(outcome, &book.to_be_retried())?;
        let output = process.stdout.take().expect("it was started with a pipe");
        let (sender, reports) = mpsc::channel();
        let reader = std::thread::spawn(move || -> io::Result<()> {
            for line in BufReader::new(output).lines() {
                let line: Report = line?.parse().map_err(io::Error::other)?;
                // The receiver lives until the end.
                let _ = sender.send(line);
            }
            Ok(())
        });
        let life = self.life(random);
        let is_early = random.one_in(8);
        let mut deadline = is_early.then(|| Instant::now() + life / 16);
        let (mut is_opened, mut is_over, mut is_killed) = (false, false, false);
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let next = match left {
                None => reports.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(left) => reports.recv_timeout(left),
            };
            match next {
                Ok(line) => {
                    if matches!(line, Report::Opened { .. }) {
                        is_opened = true;
                        deadline = deadline.or(Some(Instant::now() + life));
                    }
                    is_over |= line == Report::Over;
                    book.add(line);
                }
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => deadline = None,
            }
            let is_due = deadline.is_none_or(|deadline| deadline <= Instant::now());
            let may_be_killed = (is_opened || is_early) && outcome.kills < self.kills_max;
            if is_due && may_be_killed && !is_killed {
                is_killed = true;
                outcome.kills += 1;
                outcome.kills_early += u32::from(!is_opened);
                process.kill()?;
            }
        }
        process.wait()?;
        reader.join().map_err(|_| io::Error::other("the reader panicked"))??;
        if !is_killed && !is_over && book.findings.is_empty() {
            return Err(io::Error::other("a process of claimants ended by itself"));
        }
        Ok(is_over)
    }

    /// How long a process lives after opening the folder. With few jobs it is short, so that there
    /// are several processes.
    fn life(&self, random: &mut Random) -> Duration {
        let max = LIFE_MAX.min(Duration::from_micros(40_000 + 8 * self.jobs));
        match random.within(0..6) {
            0 => Duration::from_micros(random.within(0..20_000)),
            _ => Duration::from_micros(random.within(0..max.as_micros() as u64)),
        }
    }

    fn start(&self, outcome: &Outcome, retried: &[OperationId]) -> io::Result<Child> {
        let retried: Vec<_> = retried.iter().map(|claim| claim.0.to_string()).collect();
        Command::new(&self.starter.program)
            .arg("claimants")
            .arg(&self.path)
            .args([mode_name(self.mode), &self.seed.to_string(), &outcome.processes.to_string()])
            .args([&self.jobs.to_string(), &outcome.hours.to_string()])
            .args(retried)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
    }

    fn compare(&self, book: &mut Book) -> Result<(), crate::crash::folder::Error> {
        let lost = |error: velocitydb::Error| crate::crash::folder::Error::Folder {
            error: error.into(),
            damage: None,
        };
        let report = velocitydb::doctor(&self.path).map_err(lost)?;
        let problems = report.problems.into_iter();
        let problems = problems.map(|what| Finding { job: 0, what: format!("doctor: {what}") });
        book.findings.extend(problems);
        let options = Options::new().mode(self.mode).maintenance(MaintenanceMode::Manual);
        let db = options.open(&self.path).map_err(lost)?;
        book.compare(&db).map_err(lost)
    }
}

/// How many findings are printed.
const PRINTED_MAX: usize = 20;

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { claimed, replayed, given_again, finished, lost } = self.counts;
        writeln!(f, "mode              {}", mode_name(self.mode))?;
        writeln!(f, "jobs              {}, {} claimants", self.jobs, queue::CLAIMANTS)?;
        writeln!(
            f,
            "processes         {}, {} killed, {} of them while opening",
            self.processes, self.kills, self.kills_early
        )?;
        writeln!(f, "clock jumped      {} hours", self.hours)?;
        writeln!(f, "claims answered   {claimed}, {replayed} of them to a retry")?;
        writeln!(f, "given again       {given_again}, after the end of a lease")?;
        writeln!(f, "finishes answered {finished}")?;
        writeln!(f, "answers lost      {lost}, as the mode allows")?;
        writeln!(f, "violations        {}", self.findings.len())?;
        for finding in self.findings.iter().take(PRINTED_MAX) {
            writeln!(f, "  {finding}")?;
        }
        write!(f, "in {} s", self.elapsed.as_secs())
    }
}
