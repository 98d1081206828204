//! The jobs of the workload: offering, claiming and finishing them, while indexes are created and
//! dropped.
//!
//! Every claim appends its number to the job's list, so the list has all claims of the job in
//! order. A unique index ensures that a slot is used by one job at a time.

use std::time::Duration;

use velocitydb::{Database, Error, IndexSpec, Object, Sort, Update, Value, object};

use crate::content::OperationId;
use crate::operation::{Job, Lease};
use crate::perform::Done;
use crate::state::JobState;

/// The collection of jobs.
pub const COLLECTION: &str = "jobs";

/// How many kinds of jobs there are.
pub const KINDS: u8 = 3;

/// How many indexes are created and dropped.
pub const INDEXES: u8 = 5;

/// How many jobs are offered at a time.
const OFFERED: u8 = 20;

const BRIEFLY: Duration = Duration::from_millis(10);
const AN_HOUR: Duration = Duration::from_secs(60 * 60);

/// Creates the unique index, if it does not exist.
pub(crate) fn create_slots(db: &Database) -> velocitydb::Result<()> {
    db.documents(COLLECTION).create_index(IndexSpec::on("slot").named("slots").unique().sparse())
}

pub(crate) fn offer(
    db: &Database,
    id: OperationId,
    kind: u8,
    slot: u8,
) -> velocitydb::Result<Done> {
    let job = |number: u8| {
        let mut fields = object! { "kind": kind, "state": "waiting", "claims": [], "n": number };
        if number == 0 {
            fields.insert("slot", i64::from(slot));
        }
        (Job { offer: id, number }.document(), fields)
    };
    let written = db.documents(COLLECTION).insert_many((0..OFFERED).map(job));
    match written {
        Err(Error::Duplicate { .. }) => Ok(Done::Nothing),
        written => {
            let index = written?.first().map_or(0, |first| first.index);
            Ok(Done::Applied { index, version: 1, is_replayed: false })
        }
    }
}

pub(crate) fn claim(
    db: &Database,
    id: OperationId,
    kind: u8,
    lease: Lease,
) -> velocitydb::Result<Done> {
    let duration = match lease {
        Lease::Long => AN_HOUR,
        Lease::Brief => BRIEFLY,
    };
    let jobs = db.documents(COLLECTION);
    let claim = jobs.claim(object! { "kind": kind, "state": "waiting" });
    let claim = claim.sort(Sort::new().ascending("n"));
    let claim = claim.lease(duration, object! { "state": "waiting" });
    let update = Update::new().push("claims", id.0.cast_signed()).set("state", "running");
    let claimed = claim.update(update)?;
    let Some(document) = claimed.first() else { return Ok(Done::Nothing) };
    let job = Job::of_document(document.id()).expect("ids of jobs are made of them");
    Ok(Done::Claimed { index: claimed.index, version: document.version(), job })
}

/// Completes a job. Its claim may have ended only if it was brief.
pub(crate) fn finish(
    db: &Database,
    id: OperationId,
    job: Job,
    version: u64,
    lease: Lease,
) -> velocitydb::Result<Done> {
    let update = Update::new().set("state", "done").set("finished", id.0.cast_signed());
    let update = update.unset("slot");
    match db.documents(COLLECTION).complete(job.document(), version, update) {
        Err(Error::VersionMismatch { .. } | Error::NotLeased { .. }) if lease == Lease::Brief => {
            Ok(Done::Nothing)
        }
        version => Ok(Done::Applied { index: 0, version: version?, is_replayed: false }),
    }
}

/// The index of a number, and its collection.
fn index(number: u8) -> (&'static str, IndexSpec) {
    let queue = Sort::new().ascending("kind").ascending("state").ascending("n");
    let (collection, spec) = match number {
        0 => (COLLECTION, IndexSpec::new(queue)),
        1 => (COLLECTION, IndexSpec::on("claims")),
        2 => (COLLECTION, IndexSpec::on("n").partial(object! { "state": "waiting" })),
        3 => ("notes", IndexSpec::new(Sort::new().descending("n"))),
        _ => ("groups", IndexSpec::on("n")),
    };
    (collection, spec.named(format!("index{number}")))
}

pub(crate) fn create_index(db: &Database, number: u8) -> velocitydb::Result<Done> {
    let (collection, spec) = index(number);
    db.documents(collection).create_index(spec).map(|()| Done::unplaced())
}

pub(crate) fn drop_index(db: &Database, number: u8) -> velocitydb::Result<Done> {
    let (collection, spec) = index(number);
    db.documents(collection).drop_index(&spec.name()).map(|()| Done::unplaced())
}

/// A job from its document; `None` when no operation of the workload can have left it.
pub(crate) fn read(version: u64, fields: &Object) -> Option<JobState> {
    let operation = |value: &Value| Some(OperationId(value.as_i64()?.cast_unsigned()));
    let claims = fields.get("claims")?.as_array()?.iter().map(operation).collect::<Option<_>>()?;
    let state = fields.get("state")?.as_str()?;
    Some(JobState {
        version,
        claims,
        finished: fields.get("finished").and_then(operation),
        is_waiting: match state {
            "waiting" => true,
            "running" | "done" => false,
            _ => return None,
        },
        slot: fields.get("slot").and_then(Value::as_i64),
    })
}
