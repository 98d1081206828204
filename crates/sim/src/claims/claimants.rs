//! [`Claimants`]: the process that is killed. Its threads claim jobs and finish them until nothing is
//! left.

use std::io::Write;
use std::path::PathBuf;
use std::process::exit;
use std::time::Duration;

use velocitydb::{
    Action, Condition, Consistency, Database, DocumentId, Expiry, MaintenanceMode, Mode, Operation,
    Options, Outcome, Refusal, RequestId, Update, WriteBatch, object,
};

use super::Report;
use super::queue::{self, CLAIMANTS, COLLECTION};
use crate::Random;
use crate::clock::Ahead;
use crate::content::OperationId;

/// The parameters of a process of claimants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimants {
    /// The data folder.
    pub path: PathBuf,
    /// The storage mode.
    pub mode: Mode,
    /// The seed, which decides the jobs, and which are left unfinished.
    pub seed: u64,
    /// The number of this process on the folder.
    pub cycle: u32,
    /// How many jobs there are.
    pub jobs: u64,
    /// How far its clock is ahead of the system's, in hours.
    pub hours_ahead: u64,
    /// Unanswered claims of earlier processes.
    pub unanswered: Vec<OperationId>,
}

/// For how long a job is claimed; the clock jumps by more than this.
const LEASE: Duration = Duration::from_secs(60 * 60);

/// One claim in this many is abandoned to its lease.
const ABANDONED_ONE_IN: u64 = 16;

impl Claimants {
    /// Whether a claimant uses request ids, and retries unanswered claims.
    pub fn retries(claimant: u8) -> bool {
        claimant.is_multiple_of(4)
    }

    /// Opens the folder, offers what is missing, and claims until nothing is left, or until the
    /// process is killed.
    pub fn run(&self) {
        if let Err(error) = self.work() {
            send(&Report::Failed(error.to_string()));
        }
    }

    fn work(&self) -> velocitydb::Result<()> {
        // The auditor has to know where the state ends before anything is done.
        let options = Options::new().mode(self.mode).maintenance(MaintenanceMode::Manual);
        // The steps are small, so that due work takes several.
        let options = options.maintenance_step(20);
        let db = options
            .environment(Ahead::by_hours(self.hours_ahead).environment())
            .open(&self.path)?;
        send(&Report::Opened { index: db.snapshot()?.index()? });
        if self.cycle.is_multiple_of(2) {
            // In other cycles claims have to end expired leases themselves.
            db.maintain()?;
        }
        queue::offer(&db, self.jobs, self.seed)?;
        let results: Vec<velocitydb::Result<()>> = std::thread::scope(|scope| {
            let claim = |claimant| {
                let db = &db;
                scope.spawn(move || self.claim_all(db, claimant))
            };
            let claimants: Vec<_> = (0..CLAIMANTS).map(claim).collect();
            let joined = claimants.into_iter().map(|one| one.join().expect("a claimant panicked"));
            joined.collect()
        });
        results.into_iter().collect::<velocitydb::Result<()>>()?;
        drop(db);
        send(&Report::Over);
        Ok(())
    }

    fn claim_all(&self, db: &Database, claimant: u8) -> velocitydb::Result<()> {
        let mine = |claim: &&OperationId| claim.thread() == claimant;
        for claim in self.unanswered.iter().filter(mine) {
            self.claim_and_finish(db, *claim)?;
        }
        for sequence in 1.. {
            if !self.claim_and_finish(db, OperationId::new(self.cycle, claimant, sequence))? {
                break;
            }
        }
        Ok(())
    }

    /// Claims a job and finishes it; returns whether there was one.
    fn claim_and_finish(&self, db: &Database, claim: OperationId) -> velocitydb::Result<bool> {
        let claimant = claim.thread();
        let mut documents = db.documents(COLLECTION);
        if Self::retries(claimant) {
            documents = documents.request(RequestId::new(&claim.0.to_string())?);
        }
        let asked = documents.claim(queue::wanted(claimant)).sort(queue::order());
        let asked = asked.lease(LEASE, object! { "state": "waiting" });
        let update = Update::new().push("claims", claim.0.cast_signed()).set("state", "running");
        let claimed = asked.claimant(&queue::name(claimant)).update(update)?;
        let Some(document) = claimed.first() else {
            // The job that it got without an answer has another claimant by now: the claim stays
            // unanswered.
            if claimed.lost.is_empty() {
                send(&Report::Empty(claim));
            }
            return Ok(!claimed.lost.is_empty());
        };
        let (id, token) = (document.id().clone(), document.version());
        let (index, is_replayed) = (claimed.index, claimed.is_replayed);
        let job = queue::number_of(&id).expect("ids of jobs are made of numbers");
        send(&Report::Claimed { claim, index, job, token, is_replayed });
        if !Random::part(self.seed, claim.0).one_in(ABANDONED_ONE_IN) {
            send(&finish(db, claim, job, id, token)?);
        }
        Ok(true)
    }
}

/// Finishes a job by a batch, since its answer has the position in the order.
fn finish(
    db: &Database,
    claim: OperationId,
    job: u64,
    id: DocumentId,
    token: u64,
) -> velocitydb::Result<Report> {
    let update = Update::new().set("state", "done").set("finished", claim.0.cast_signed());
    let mut batch = WriteBatch::new();
    batch.push(Operation {
        collection: db.documents(COLLECTION).name()?.clone(),
        id,
        condition: Condition::Version(token),
        action: Action::Complete(update),
        expiry: Expiry::Keep,
    })?;
    let result = db.write_at(batch, Consistency::Strong, None)?;
    Ok(match &result.outcomes[0] {
        Outcome::Applied { version, .. } => {
            Report::Finished { claim, index: result.index, job, version: *version }
        }
        Outcome::Refused(Refusal::Version { .. } | Refusal::NoLease { .. }) => {
            Report::Fenced { claim, job }
        }
        other => Report::Failed(format!("finishing job {job}: {other:?}")),
    })
}

/// Writes and flushes one line. Without a reader the process ends.
fn send(report: &Report) {
    let line = format!("{report}\n");
    if std::io::stdout().lock().write_all(line.as_bytes()).is_err() {
        exit(1);
    }
}
