//! [`Book`]: the answers of claimants, kept by the auditor, which is not killed, and what is wrong
//! with them.

use std::collections::HashSet;
use std::fmt;

use velocitydb::{Database, Mode, Value};

use super::Report;
use super::queue::{self, CLAIMANTS, COLLECTION};
use crate::content::OperationId;

/// A violation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The job.
    pub job: u64,
    /// What is wrong with it, in words.
    pub what: String,
}

/// The answers of claimants.
#[derive(Debug)]
pub struct Book {
    mode: Mode,
    jobs: Vec<Job>,
    /// The answers of this process, with each job's state before, so that those that a crash may
    /// lose can be undone.
    life: Vec<Event>,
    /// The last acknowledged position.
    index: u64,
    /// By claimant of this process, the sequence number of its last answered claim.
    answered: [u32; CLAIMANTS as usize],
    /// Unanswered claims, which may have been applied.
    unanswered: HashSet<OperationId>,
    /// How far ahead the clock of this process is.
    hours_ahead: u64,
    /// The violations.
    pub findings: Vec<Finding>,
    /// The counts of the campaign.
    pub counts: Counts,
}

/// The counts of the campaign.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Claims that were answered with a job.
    pub claimed: u64,
    /// Those of them that an earlier process had sent.
    pub replayed: u64,
    /// Those that got a job whose lease had expired.
    pub given_again: u64,
    /// Jobs whose completion was answered.
    pub finished: u64,
    /// Answers that a crash has lost, as the mode allows.
    pub lost: u64,
}

/// What is known of a job.
#[derive(Debug, Clone, Default)]
struct Job {
    /// The claims that got it, in their order.
    claims: Vec<Held>,
    /// The claim that has finished it, and its version then.
    finished: Option<(OperationId, u64)>,
}

/// A claim that got a job.
#[derive(Debug, Clone, Copy)]
struct Held {
    by: OperationId,
    token: u64,
    /// How far ahead the clock was.
    hours_ahead: u64,
}

#[derive(Debug)]
struct Event {
    index: u64,
    job: u64,
    kind: EventKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EventKind {
    Claimed,
    Finished,
}

impl Book {
    /// An empty book of `jobs` jobs.
    pub fn new(mode: Mode, jobs: u64) -> Self {
        let empty = || Job::default();
        Book {
            mode,
            jobs: std::iter::repeat_with(empty).take(jobs as usize).collect(),
            life: Vec::new(),
            index: 0,
            answered: [0; CLAIMANTS as usize],
            unanswered: HashSet::new(),
            hours_ahead: 0,
            findings: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// The unanswered claims of earlier processes with request ids.
    pub fn to_be_retried(&self) -> Vec<OperationId> {
        let retried = |claim: &&OperationId| super::Claimants::retries(claim.thread());
        let mut claims: Vec<_> = self.unanswered.iter().filter(retried).copied().collect();
        // The last one of each claimant: earlier ones have been retried by now.
        claims.sort_unstable_by_key(|claim| (claim.thread(), *claim));
        claims.reverse();
        claims.dedup_by_key(|claim| claim.thread());
        claims
    }

    /// A process ended; the clock of the next one is `hours_ahead` ahead.
    pub fn end(&mut self, cycle: u32, hours_ahead: u64) {
        for (claimant, answered) in self.answered.iter_mut().enumerate() {
            self.unanswered.insert(OperationId::new(cycle, claimant as u8, *answered + 1));
            *answered = 0;
        }
        self.hours_ahead = hours_ahead;
    }

    /// Adds a report of a process.
    pub fn add(&mut self, report: Report) {
        match report {
            Report::Opened { index } => self.opened(index),
            Report::Claimed { claim, index, job, token, is_replayed } => {
                self.answer(claim);
                self.index = self.index.max(index);
                self.claimed(claim, index, job, token, is_replayed);
            }
            Report::Empty(claim) => self.answer(claim),
            Report::Finished { claim, index, job, version } => {
                self.index = self.index.max(index);
                self.finish(claim, index, job, version);
            }
            Report::Fenced { claim, job } => {
                let held = self.jobs[job as usize].claims.last();
                let hours_ahead = self.hours_ahead;
                if held.is_some_and(|held| held.by == claim && held.hours_ahead == hours_ahead) {
                    self.find(job, format!("claim {claim} has it, and could not finish it"));
                }
            }
            Report::Over => {}
            Report::Failed(message) => self.find(0, format!("a claimant failed: {message}")),
        }
    }

    fn find(&mut self, job: u64, what: String) {
        self.findings.push(Finding { job, what });
    }

    fn answer(&mut self, claim: OperationId) {
        if !self.unanswered.remove(&claim) {
            self.answered[usize::from(claim.thread())] = claim.0 as u32;
        }
    }

    /// Acknowledged writes beyond the end of the state are lost, if the mode allows that.
    fn opened(&mut self, index: u64) {
        if index < self.index && self.mode != Mode::MemoryFirst {
            let what = format!("the state ends at {index}, and {} was acknowledged", self.index);
            self.find(0, what);
        }
        while let Some(event) = self.life.pop() {
            if event.index <= index {
                continue;
            }
            self.counts.lost += 1;
            let job = &mut self.jobs[event.job as usize];
            match event.kind {
                // A lost claim counts as if it was never made.
                EventKind::Claimed => drop(job.claims.pop()),
                EventKind::Finished => job.finished = None,
            }
        }
        self.index = index;
    }

    fn claimed(&mut self, claim: OperationId, index: u64, job: u64, token: u64, replayed: bool) {
        self.counts.claimed += 1;
        self.counts.replayed += u64::from(replayed);
        let hours_ahead = self.hours_ahead;
        let Some(known) = self.jobs.get_mut(job as usize) else {
            return self.find(job, format!("nobody offered it, and claim {claim} got it"));
        };
        let mut problems = Vec::new();
        if let Some((other, version)) = known.finished {
            problems.push(format!("claim {other} finished it at {version}, and {claim} got it"));
        }
        if let Some(&Held { by: other, token: before, hours_ahead: then }) = known.claims.last() {
            if token <= before {
                problems.push(format!("{claim} got token {token}, and {other} had {before}"));
            }
            if then == hours_ahead {
                problems.push(format!("claim {other} has it, and {claim} got it"));
            }
            self.counts.given_again += 1;
        }
        known.claims.push(Held { by: claim, token, hours_ahead });
        self.life.push(Event { index, job, kind: EventKind::Claimed });
        problems.into_iter().for_each(|what| self.find(job, what));
    }

    fn finish(&mut self, claim: OperationId, index: u64, job: u64, version: u64) {
        self.counts.finished += 1;
        let known = &mut self.jobs[job as usize];
        let before = known.finished.replace((claim, version));
        let token = known.claims.last().map_or(0, |held| held.token);
        self.life.push(Event { index, job, kind: EventKind::Finished });
        if let Some((other, _)) = before {
            self.find(job, format!("{other} finished it, and then {claim} did"));
        }
        if version <= token {
            self.find(job, format!("finished at version {version}, and its token was {token}"));
        }
    }

    /// Compares the final state with the answers.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub fn compare(&mut self, db: &Database) -> velocitydb::Result<()> {
        self.opened(db.snapshot()?.index()?);
        let mut all = HashSet::new();
        let mut count = 0;
        for document in db.documents(COLLECTION).iter()? {
            let document = document?;
            let found = queue::number_of(document.id());
            let Some(number) = found.filter(|number| (*number as usize) < self.jobs.len()) else {
                self.find(0, format!("document {}, which nobody offered", document.id()));
                continue;
            };
            count += 1;
            let fields = document.fields()?;
            let operation = |value: &Value| Some(OperationId(value.as_i64()?.cast_unsigned()));
            let claims = fields.get("claims").and_then(Value::as_array);
            let claims: Vec<_> = claims.into_iter().flatten().filter_map(operation).collect();
            let by = fields.get("finished").and_then(operation);
            let is_done = fields.get("state").and_then(Value::as_str) == Some("done");
            for claim in &claims {
                if !all.insert(*claim) {
                    self.find(number, format!("claim {claim} got it, and had got one before"));
                }
            }
            self.compare_job(number, &claims, by.filter(|_| is_done), document.version());
        }
        if count != self.jobs.len() {
            self.find(0, format!("{count} of {} jobs are there", self.jobs.len()));
        }
        Ok(())
    }

    fn compare_job(
        &mut self,
        number: u64,
        claims: &[OperationId],
        by: Option<OperationId>,
        version: u64,
    ) {
        let known = &self.jobs[number as usize];
        let mut problems = Vec::new();
        let told: Vec<_> = known.claims.iter().map(|held| held.by).collect();
        let mut rest = claims.iter();
        for claim in &told {
            if !rest.any(|found| found == claim) {
                problems.push(format!("the acknowledged claim {claim} is lost or out of order"));
            }
        }
        for claim in claims {
            if !told.contains(claim) && !self.unanswered.contains(claim) {
                problems.push(format!("it says that {claim} got it, who was not told"));
            }
        }
        match (known.finished, by) {
            (_, None) => problems.push("it is not finished".to_owned()),
            (Some((claim, told)), Some(by)) if (claim, told) != (by, version) => problems
                .push(format!("{claim} finished it at {told}, and it says {by} and {version}")),
            (None, Some(by)) if !claims.contains(&by) => {
                problems.push(format!("it says that {by} finished it, who never had it"));
            }
            _ => {}
        }
        problems.into_iter().for_each(|what| self.find(number, what));
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "job {}: {}", self.job, self.what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(claimant: u8, sequence: u32) -> OperationId {
        OperationId::new(1, claimant, sequence)
    }

    fn claimed(claim: OperationId, index: u64, job: u64, token: u64) -> Report {
        Report::Claimed { claim, index, job, token, is_replayed: false }
    }

    fn finished(claim: OperationId, index: u64, job: u64, version: u64) -> Report {
        Report::Finished { claim, index, job, version }
    }

    /// The violations that a book finds in these reports about two jobs.
    fn found(mode: Mode, reports: &[Report]) -> String {
        let mut book = Book::new(mode, 2);
        reports.iter().for_each(|report| book.add(report.clone()));
        book.findings.iter().map(|finding| format!("{finding}\n")).collect()
    }

    #[test]
    fn two_claims_at_the_same_time_are_noticed() {
        let reports = [claimed(id(0, 1), 5, 0, 2), claimed(id(1, 1), 6, 1, 2)];
        assert_eq!(found(Mode::Hybrid, &reports), "");
        let twice = found(Mode::Hybrid, &[reports[0].clone(), claimed(id(1, 1), 6, 0, 3)]);
        assert!(twice.contains("has it, and"), "{twice}");
        let token = found(Mode::Hybrid, &[reports[0].clone(), claimed(id(1, 1), 6, 0, 2)]);
        assert!(token.contains("got token 2"), "{token}");
    }

    #[test]
    fn a_claim_of_what_is_finished_is_noticed() {
        let reports = [claimed(id(0, 1), 5, 0, 2), finished(id(0, 1), 6, 0, 3)];
        assert_eq!(found(Mode::Hybrid, &reports), "");
        let mut again = reports.to_vec();
        again.push(claimed(id(1, 1), 7, 0, 4));
        assert!(found(Mode::Hybrid, &again).contains("finished it"));
    }

    #[test]
    fn a_state_that_ends_too_early_is_noticed_or_taken_back() {
        let reports = [
            claimed(id(0, 1), 5, 0, 2),
            finished(id(0, 1), 6, 0, 3),
            Report::Opened { index: 4 },
            claimed(id(2, 1), 5, 0, 2),
        ];
        assert_eq!(found(Mode::MemoryFirst, &reports), "");
        assert!(found(Mode::Hybrid, &reports).contains("ends at 4"));
    }

    /// The claim in between was made after the lease had expired, and is lost: then the next one takes
    /// the job from the first, whose lease has expired as well.
    #[test]
    fn a_lost_claim_does_not_make_the_one_before_younger() {
        let reports = |hours: u64| {
            let mut book = Book::new(Mode::MemoryFirst, 1);
            book.add(claimed(id(0, 1), 5, 0, 2));
            book.end(0, hours);
            book.add(Report::Opened { index: 5 });
            book.add(claimed(id(1, 1), 7, 0, 4));
            book.end(1, hours);
            book.add(Report::Opened { index: 5 });
            book.add(claimed(id(2, 1), 7, 0, 4));
            book.findings.iter().map(|finding| format!("{finding}\n")).collect::<String>()
        };
        assert_eq!(reports(2), "");
        assert!(reports(0).contains("has it, and"));
    }

    /// The final state of jobs, compared with the answers about them.
    #[test]
    fn what_is_lost_and_what_is_invented_is_noticed() {
        let db = velocitydb::open_in_memory().unwrap();
        let jobs = db.documents(COLLECTION);
        let job = |claims: &[OperationId], by: Option<OperationId>| {
            let number = |claim: &OperationId| Value::from(claim.0.cast_signed());
            let claims: Vec<_> = claims.iter().map(number).collect();
            let mut fields = velocitydb::object! { "claims": claims, "state": "done" };
            if let Some(by) = by {
                fields.insert("finished", number(&by));
            }
            fields
        };
        jobs.insert(queue::job_id(0), job(&[id(0, 1)], Some(id(0, 1)))).unwrap();
        jobs.insert(queue::job_id(1), job(&[id(1, 1)], Some(id(1, 1)))).unwrap();
        let compared = |reports: &[Report]| {
            let mut book = Book::new(Mode::MemoryFirst, 2);
            reports.iter().for_each(|report| book.add(report.clone()));
            book.end(1, 0);
            book.compare(&db).unwrap();
            book.findings.iter().map(|finding| format!("{finding}\n")).collect::<String>()
        };
        let reports = [claimed(id(0, 1), 1, 0, 0), finished(id(0, 1), 1, 0, 1)];
        // The other claim was not answered.
        assert_eq!(compared(&reports), "");
        let lost = [claimed(id(1, 1), 1, 0, 0), finished(id(1, 1), 1, 0, 1)];
        let lost = compared(&lost);
        assert!(lost.contains("is lost") && lost.contains("who was not told"), "{lost}");
        jobs.replace(queue::job_id(1), job(&[id(0, 1)], None)).unwrap();
        let twice = compared(&reports);
        assert!(twice.contains("had got one before") && twice.contains("not finished"), "{twice}");
    }
}
