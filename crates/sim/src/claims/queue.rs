//! The queue: which jobs are offered, and the filter of each claimant.

use velocitydb::{Database, DocumentId, Filter, IndexSpec, Sort, field, object};

use crate::{Random, ids};

/// How many claim at the same time.
pub const CLAIMANTS: u8 = 64;

/// The collection of jobs.
pub(super) const COLLECTION: &str = "jobs";

/// Jobs that are offered together.
const OFFERED: u64 = 5_000;

/// How many types of jobs there are; each claimant claims one type.
const TYPES: u64 = 4;

const RESOURCES: [&str; 6] = ["nodes", "cpu", "processes", "memory", "storage", "gpu"];

/// The id of a job.
pub(super) fn job_id(number: u64) -> DocumentId {
    ids::of_number(number)
}

/// The number of a job.
pub(super) fn number_of(job: &DocumentId) -> Option<u64> {
    ids::number_of(job)
}

/// Offers jobs up to this number. Existing jobs are the first ones, since each part is inserted
/// atomically, and the parts in order.
pub(super) fn offer(db: &Database, jobs: u64, seed: u64) -> velocitydb::Result<()> {
    let keys = Sort::new().ascending("colony").ascending("type").ascending("state");
    db.documents(COLLECTION)
        .create_index(IndexSpec::new(keys.ascending("prioritytime")).named("queue"))?;
    let documents = db.documents(COLLECTION);
    let job = |number: u64| {
        let mut random = Random::part(seed, number);
        let mut fields = object! {
            "colony": "colony", "type": random.within(0..TYPES), "state": "waiting",
            "prioritytime": random.within(0..1_000_000), "names": [], "claims": []
        };
        RESOURCES.iter().for_each(|name| drop(fields.insert(*name, random.within(0..9))));
        (job_id(number), fields)
    };
    let mut start = documents.count()?;
    while start < jobs {
        let end = jobs.min(start + OFFERED);
        documents.insert_many((start..end).map(job))?;
        start = end;
    }
    Ok(())
}

/// The name of a claimant.
pub(super) fn name(claimant: u8) -> String {
    format!("executor{claimant}")
}

/// The filter of a claimant: ColonyOS's own selection.
pub(super) fn wanted(claimant: u8) -> Filter {
    let base = field("colony").eq("colony").and(field("type").eq(u64::from(claimant) % TYPES));
    let base = base.and(field("state").eq("waiting"));
    let bounded = RESOURCES.iter().fold(base, |filter, name| filter.and(field(name).lte(8)));
    let named = field("names").eq(name(claimant).as_str()).or(field("names").has_size(0));
    bounded.and(named)
}

/// The order of claims.
pub(super) fn order() -> Sort {
    Sort::new().ascending("prioritytime")
}
