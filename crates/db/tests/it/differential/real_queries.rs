//! Does the steps of the differential test that have to do with queries on a database. Where the
//! same can be asked in several ways, it is asked in all of them.

use std::collections::BTreeSet;

use velocitydb::{
    Database, DocumentId, Documents, Filter, Object, PageToken, Pipeline, Projection, Release,
    Result, Sort, Transaction, Value, object,
};

use super::id::Id;
use super::real::{at, handle, see, update};
use super::rules;
use super::step::{self, Answer, Claim, Releases, Seen, Settling, Step};

pub fn run(db: &Database, step: &Step) -> Result<Answer> {
    Ok(match step {
        Step::CreateIndex { collection, index } => {
            db.documents(collection).create_index(step::index(*index))?;
            Answer::Done
        }
        Step::DropIndex { collection, index } => {
            db.documents(collection).drop_index(&step::index_name(*index))?;
            Answer::Done
        }
        Step::SetSchema { collection, schema, existing } => {
            Answer::Version(db.documents(collection).set_schema(&schema.schema(), *existing)?)
        }
        Step::RemoveSchema { collection } => {
            db.documents(collection).remove_schema()?;
            Answer::Done
        }
        Step::Find { collection, filter, sort, offset, limit } => {
            let docs = db.documents(collection);
            check_counts(&docs, filter)?;
            let find = docs.find(filter.clone()).sort(sort.clone()).offset(*offset);
            let find = match limit {
                Some(limit) => find.limit(*limit),
                None => find,
            };
            Answer::Found(find.documents()?.iter().map(see).collect())
        }
        Step::Pages { collection, filter, sort, size } => {
            pages(&db.documents(collection), filter, sort, *size)?
        }
        Step::Distinct { collection, filter, path } => {
            let values = db.documents(collection).find(filter.clone()).distinct(path)?;
            Answer::Keys(values.iter().map(rules::encoded).collect())
        }
        Step::Lookup { collection, filter, from, field } => {
            lookup(&db.documents(collection), filter, from, field)?
        }
        Step::Many { collection, filter, changes, context } => {
            let docs = handle(db, collection, context);
            let modified = match changes {
                Some(changes) => docs.update_many(filter.clone(), update(changes))?,
                None => docs.delete_many(filter.clone())?,
            };
            let velocitydb::Modified { count, index, is_replayed } = modified;
            Answer::Many { count, index, is_replayed }
        }
        Step::One { collection, filter, sort, changes, context } => {
            let docs = handle(db, collection, context);
            let one = docs.find_and_modify(filter.clone()).sort(sort.clone());
            let found = match changes {
                Some(changes) => one.update(update(changes))?,
                None => one.delete()?,
            };
            Answer::Found(found.iter().map(see).collect())
        }
        Step::Claim(claim) => return self::claim(db, claim),
        Step::Settle { collection, id, version, how, context } => {
            let docs = handle(db, collection, context);
            Answer::Version(match how {
                Settling::Complete(changes) => docs.complete(id, *version, update(changes))?,
                Settling::Renew(duration) => docs.renew(id, *version, *duration)?,
                Settling::Release => docs.release(id, *version)?,
                Settling::Retry(not_before, reason) => {
                    docs.retry(id, *version, at(*not_before), reason)?
                }
            })
        }
        step => unreachable!("{step:?} is no query"),
    })
}

/// That what is found in any order is found once, and counted so.
fn check_counts(docs: &Documents, filter: &Filter) -> Result<()> {
    let found = docs.find(filter.clone()).documents()?;
    let distinct: BTreeSet<_> = found.iter().map(|one| one.id().clone()).collect();
    let count = docs.find(filter.clone()).count()?;
    let ids = Projection::include(["_id"]);
    let projected = docs.find(filter.clone()).project(ids).objects()?.len();
    assert_eq!(projected, found.len());
    let by_pipeline = Pipeline::from_json(r#"[{"$count": "n"}]"#)?;
    if filter.is_all() {
        let counted = docs.aggregate(by_pipeline).objects()?;
        let counted = counted.first().map_or(Value::from(0), |one| one["n"].clone());
        assert_eq!(counted, Value::from(found.len()));
        assert_eq!(docs.iter()?.count(), found.len());
        assert_eq!(docs.count()?, found.len() as u64);
    }
    let explained = || docs.find(filter.clone()).explain().map(|one| one.to_object().to_json());
    let counts = (distinct.len(), count);
    assert_eq!(counts, (found.len(), found.len() as u64), "{:?}", explained());
    Ok(())
}

fn lookup(docs: &Documents, filter: &Filter, from: &str, field: &str) -> Result<Answer> {
    let stages = [
        object! { "$match": filter.to_object() },
        object! { "$lookup": {
            "from": from, "localField": field, "foreignField": "_id", "as": "found"
        } },
        object! { "$project": { "found._id": 1 } },
        object! { "$sort": { "_id": 1 } },
    ];
    let id = |object: &Object| Id::read(&DocumentId::new(&object["_id"]).unwrap());
    let one = |object: &Object| {
        let Value::Array(found) = &object["found"] else { panic!("{object}") };
        let mut found: Vec<_> = found.iter().map(|one| id(one.as_object().unwrap())).collect();
        found.sort();
        (id(object), found)
    };
    let found = docs.aggregate(Pipeline::from_value(&Value::from(stages))?).objects()?;
    Ok(Answer::Lookups(found.iter().map(one).collect()))
}

fn pages(docs: &Documents, filter: &Filter, sort: &Sort, size: u64) -> Result<Answer> {
    let (mut found, mut cursor) = (Vec::new(), None::<PageToken>);
    loop {
        let find = docs.find(filter.clone()).sort(sort.clone()).limit(size);
        let find = match cursor.take() {
            Some(cursor) => find.after(cursor.to_string().parse()?),
            None => find,
        };
        let page = find.page()?;
        found.extend(page.documents.iter().map(see));
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(Answer::Found(found)),
        }
    }
}

fn release_of(releases: &Releases) -> Release {
    let mut choices = releases.iter();
    let (filter, changes) = choices.next().expect("there is at least one");
    let first = Release::when(filter.clone(), update(changes));
    choices
        .fold(first, |release, (filter, changes)| release.or_when(filter.clone(), update(changes)))
}

/// Claims in a transaction; what was taken.
pub(super) fn claim_in(txn: &mut Transaction, claim: &Claim) -> Result<Vec<Seen>> {
    let begun = txn.claim(&claim.collection, claim.filter.clone());
    let begun = begun.sort(claim.sort.clone()).limit(claim.limit);
    let begun = match &claim.lease {
        Some((duration, releases)) => begun.lease(*duration, release_of(releases)),
        None => begun,
    };
    let begun = if claim.is_even_if_leased { begun.even_if_leased() } else { begun };
    Ok(begun.update(update(&claim.changes))?.iter().map(see).collect())
}

fn claim(db: &Database, claim: &Claim) -> Result<Answer> {
    let docs = handle(db, &claim.collection, &claim.context);
    let begun = docs.claim(claim.filter.clone()).sort(claim.sort.clone()).limit(claim.limit);
    let begun = match &claim.lease {
        Some((duration, releases)) => begun.lease(*duration, release_of(releases)),
        None => begun,
    };
    let begun = if claim.is_even_if_leased { begun.even_if_leased() } else { begun };
    let claimed = begun.update(update(&claim.changes))?;
    let documents = claimed.documents.iter().map(see).collect();
    let lost = claimed.lost.iter().map(|lost| (Id::read(&lost.id), lost.version)).collect();
    let skipped: Vec<_> = claimed.skipped.iter().map(|one| Id::read(&one.id)).collect();
    assert_eq!(skipped.len() as u64, claimed.skipped_count);
    let (index, is_replayed) = (claimed.index, claimed.is_replayed);
    Ok(Answer::Claimed { documents, lost, skipped, index, is_replayed })
}
