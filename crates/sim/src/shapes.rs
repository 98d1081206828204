//! Further operations of the workload: many collections, many documents with the same time to live,
//! and readers that stop early.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use velocitydb::{Database, Document, object};

use crate::content::OperationId;
use crate::ids;
use crate::perform::Done;

/// The collection of documents that all expire.
pub const SWARM: &str = "swarm";

/// How many documents are inserted together and expire together.
pub const SWARM_SIZE: u8 = 100;

/// More documents than a swarm has.
const SWARM_SIZE_MAX: u64 = 128;

/// How many collections are created one after another. They are never dropped, so a folder comes to
/// have thousands.
pub const FOUNDED: u8 = 20;

/// How long the documents of a swarm live.
const BRIEFLY: Duration = Duration::from_millis(15);

const FOUNDED_PREFIX: &str = "founded-";

/// Creates some collections that are never dropped.
pub(crate) fn found(db: &Database, id: OperationId) -> velocitydb::Result<Done> {
    for number in 0..FOUNDED {
        let name = format!("{FOUNDED_PREFIX}{}-{number}", id.0);
        db.create_collection(&name, Default::default())?;
    }
    Ok(Done::unplaced())
}

/// The operation that has created a collection.
pub fn founder(name: &str) -> Option<OperationId> {
    let (id, number) = name.strip_prefix(FOUNDED_PREFIX)?.split_once('-')?;
    number.parse::<u8>().ok().filter(|number| *number < FOUNDED)?;
    Some(OperationId(id.parse().ok()?))
}

/// Inserts documents that expire together.
pub(crate) fn swarm(db: &Database, id: OperationId) -> velocitydb::Result<Done> {
    let documents = db.documents(SWARM).time_to_live(BRIEFLY);
    let all = (0..SWARM_SIZE).map(|number| {
        let place = ids::of_number(id.0 * SWARM_SIZE_MAX + u64::from(number));
        (place, object! { "n": number, "of": id.0.cast_signed() })
    });
    let written = documents.insert_many(all)?;
    let index = written.first().map_or(0, |first| first.index);
    Ok(Done::Applied { index, version: 1, is_replayed: false })
}

/// The operation that has inserted a document of a swarm; `None` when no operation can have.
pub fn swarmed(document: &Document) -> Option<OperationId> {
    let place = ids::number_of(document.id())?;
    let (id, number) = (place / SWARM_SIZE_MAX, place % SWARM_SIZE_MAX);
    let field = |name| document.field(name).ok()??.as_i64().ok()?;
    let is_whole = number < u64::from(SWARM_SIZE)
        && field("n")? == number.cast_signed()
        && field("of")? == id.cast_signed()
        && document.expires().is_some();
    is_whole.then_some(OperationId(id))
}

/// Starts a read, and stops before its end; checks that a snapshot does not change meanwhile.
pub(crate) fn glance(db: &Database, id: OperationId) -> velocitydb::Result<Done> {
    let snapshot = db.snapshot()?;
    let before = snapshot.count("notes")?;
    let some = id.0 as usize % 5;
    for document in snapshot.iter("notes")?.take(some) {
        document?;
    }
    let mut left = some;
    snapshot.find("jobs", object! { "state": "waiting" }).each(|_| {
        left = left.saturating_sub(1);
        Ok(if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    let listed = snapshot.iter("notes")?.count() as u64;
    if listed != before {
        let what = format!("a snapshot counted {before} notes, and lists {listed}");
        return Err(velocitydb::Error::Corrupt { place: "a snapshot".to_owned(), what });
    }
    Ok(Done::Nothing)
}

/// How many collections each operation has created.
pub type Founded = BTreeMap<OperationId, u8>;
