//! Does the steps of the differential test on a database.

use velocitydb::{
    CollectionOptions, Database, Direction, Document, DocumentId, Documents, Encoded, Error,
    Expiry, Filter, Find, NewDocument, NewIds, Object, Origin, Outcome, PageToken, RETRY_AT_FIELD,
    RETRY_REASON_FIELD, Refusal, RequestId, Result, Snapshot, Sort, Swapped, Time, Transaction,
    Update, WriteBatch, Written,
};

use super::id::Id;
use super::real_queries;
use super::step::{
    Action, Answer, Bounds, Change, Condition, Context, Operation, Seen, Settling, Step,
    TransactionStep,
};

/// Does a step that needs nothing but a database. `snapshot` is the one that was taken last.
pub fn run(db: &Database, snapshot: &Snapshot, step: &Step) -> Answer {
    try_run(db, snapshot, step).unwrap_or_else(|error| Answer::Failed(describe_error(&error)))
}

fn try_run(db: &Database, snapshot: &Snapshot, step: &Step) -> Result<Answer> {
    Ok(match step {
        Step::Write { operation, context } => return write(db, operation, context),
        Step::InsertMany { collection, documents, context } => {
            let docs = handle(db, collection, context);
            let many = if documents.iter().all(|(_, _, origin)| origin.is_none()) {
                docs.insert_many(documents.iter().map(|(id, fields, _)| (id, fields)))?
            } else {
                let new = |(id, fields, origin): &(Id, Object, Option<Origin>)| {
                    let (id, origin) = (Some(DocumentId::new(id)?), *origin);
                    Ok(NewDocument { id, fields: fields.clone(), origin })
                };
                docs.insert_all(documents.iter().map(new).collect::<Result<Vec<_>>>()?)?
            };
            Answer::ManyWritten(many.iter().map(written).collect())
        }
        Step::Number { collection, documents, context } => {
            return number(db, collection, documents, context);
        }
        Step::Batch { operations, context } => return batch(db, operations, context),
        Step::Transaction(steps) => return transaction(db, snapshot, steps),
        Step::Create { collection, min_write, min_read, ids } => {
            let options =
                CollectionOptions { min_write: *min_write, min_read: *min_read, ids: *ids };
            db.create_collection(collection, options)?;
            Answer::Done
        }
        Step::Drop { collection } => {
            db.drop_collection(collection)?;
            Answer::Done
        }
        Step::Get { collection, id, level } => {
            let found = db.documents(collection).at(*level).get(id)?;
            Answer::Documents(vec![found.as_ref().map(see)])
        }
        Step::GetMany { collection, ids, level } => {
            let ids = ids.iter();
            let found = db.documents(collection).at(*level).get_many(ids)?;
            Answer::Documents(found.iter().map(|one| one.as_ref().map(see)).collect())
        }
        Step::Count { collection, level } => {
            Answer::Count(db.documents(collection).at(*level).count()?)
        }
        Step::List { collection, list, level } => {
            page(db.documents(collection).at(*level).find(Filter::all()), list)?
        }
        Step::ListSnapshot { collection, list } => {
            page(snapshot.find(collection, Filter::all()), list)?
        }
        Step::Collections => {
            let all = db.collections()?.into_iter();
            let row = all.map(|one| (one.name.to_string(), one.count, one.writes, one.tombstones));
            Answer::Collections(row.collect())
        }
        Step::Maintain => {
            db.maintain()?;
            Answer::Done
        }
        Step::TakeSnapshot | Step::Advance(_) | Step::GoBack(_) | Step::Restart => Answer::Done,
        step => return real_queries::run(db, step),
    })
}

pub(super) fn handle(db: &Database, collection: &str, context: &Context) -> Documents {
    let mut documents = db.documents(collection).at(context.level);
    if let Some(duration) = context.time_to_live {
        documents = documents.time_to_live(duration);
    }
    if let Some(request) = &context.request {
        documents = documents.request(RequestId::new(request).unwrap());
    }
    documents
}

fn write(db: &Database, operation: &Operation, context: &Context) -> Result<Answer> {
    let documents = handle(db, &operation.collection, context);
    let id = &operation.id;
    if operation.condition != Condition::Always {
        return compare_and_swap(&documents, operation);
    }
    let result = match &operation.action {
        Action::Insert(fields) => documents.insert(id, fields)?,
        Action::Import(fields, origin) => documents.import(id, fields, *origin)?,
        Action::Replace(fields) => documents.replace(id, fields)?,
        Action::Upsert(fields) => documents.upsert(id, fields)?,
        Action::Update(changes) => documents.update(id, update(changes))?,
        Action::Delete => documents.delete(id)?,
        _ => unreachable!("a comparison has a condition, and work is settled otherwise"),
    };
    assert_eq!(Id::read(&result.id), *id);
    assert_eq!(result.consistency, context.level);
    Ok(written(&result))
}

/// Inserts documents without ids, where it is known which ones they get.
fn number(
    db: &Database,
    collection: &str,
    documents: &[Object],
    context: &Context,
) -> Result<Answer> {
    let all = db.collections()?;
    let found = all.iter().find(|one| one.name.as_str() == collection);
    if found.is_none_or(|found| found.options.ids != NewIds::Integer) {
        return Ok(Answer::Failed("no integers".to_owned()));
    }
    let new = |fields: &Object| NewDocument { id: None, fields: fields.clone(), origin: None };
    let all = handle(db, collection, context).insert_all(documents.iter().map(new))?;
    let one = |one: &Written| Answer::Numbered(Box::new((Id::read(&one.id), written(one))));
    Ok(Answer::ManyWritten(all.iter().map(one).collect()))
}

fn compare_and_swap(documents: &Documents, operation: &Operation) -> Result<Answer> {
    let mut swap = documents.compare_and_swap(&operation.id);
    swap = match &operation.condition {
        Condition::Always => swap,
        Condition::Absent => swap.absent(),
        Condition::Version(version) => swap.version(*version),
        Condition::Document(fields) => swap.document(fields),
        Condition::Matches(filter) => swap.matches(filter.clone()),
        Condition::Fields(fields) => fields.iter().fold(swap, |swap, (name, value)| match value {
            Some(value) => swap.field(name, value.clone()),
            None => swap.missing(name),
        }),
    };
    let answer = match &operation.action {
        Action::Upsert(fields) => swap.replace(fields)?,
        Action::Update(changes) => swap.update(update(changes))?,
        Action::Delete => swap.delete()?,
        Action::Compare => swap.compare()?,
        _ => unreachable!("these have no condition of their own"),
    };
    let Swapped { is_applied, held, current, version, refusal, index, is_replayed } = answer;
    assert_eq!(held, refusal.is_none());
    let current = current.as_ref().map(see);
    Ok(Answer::Swapped {
        is_applied,
        held,
        version,
        index,
        is_replayed,
        current: current.map(Box::new),
    })
}

fn batch(db: &Database, operations: &[Operation], context: &Context) -> Result<Answer> {
    let mut batch = WriteBatch::new();
    for one in operations {
        batch.push(velocitydb::Operation {
            collection: one.collection.as_str().try_into()?,
            id: DocumentId::new(&one.id)?,
            condition: condition(&one.condition)?,
            action: action(&one.action)?,
            expiry: Expiry::Keep,
        })?;
    }
    let request = context.request.as_deref().map(RequestId::new).transpose()?;
    let result = db.write_for_outcomes(batch, context.level, request)?;
    Ok(Answer::Batch {
        is_applied: result.is_applied,
        index: result.index,
        is_replayed: result.is_replayed,
        outcomes: result.outcomes.iter().map(describe_outcome).collect(),
        // Of a batch that was refused they say nothing.
        new_ids: match result.is_applied {
            true => result.new_ids.iter().map(Id::read).collect(),
            false => Vec::new(),
        },
    })
}

fn transaction(db: &Database, snapshot: &Snapshot, steps: &[TransactionStep]) -> Result<Answer> {
    let mut txn = db.begin()?;
    let (mut answers, mut claimed) = (Vec::new(), None);
    for step in steps {
        if let TransactionStep::Other(step) = step {
            answers.push(run(db, snapshot, step));
            continue;
        }
        let Some(step) = step.of_claimed(&claimed) else {
            answers.push(Answer::Done);
            continue;
        };
        let answer = transaction_step(&mut txn, &step);
        if let (TransactionStep::Claim(claim), Ok(Answer::Found(taken))) = (&step, &answer)
            && let Some(last) = taken.last()
        {
            claimed = Some((claim.collection.clone(), last.id.clone(), last.version));
        }
        match answer {
            Ok(answer) => answers.push(answer),
            Err(error) => {
                answers.push(Answer::Failed(describe_error(&error)));
                let given_up = Answer::Failed("given up".to_owned());
                return Ok(Answer::Transaction(answers, Box::new(given_up)));
            }
        }
    }
    let result = match txn.commit() {
        Ok(index) => Answer::Committed(index),
        Err(error) => Answer::Failed(describe_error(&error)),
    };
    Ok(Answer::Transaction(answers, Box::new(result)))
}

fn transaction_step(txn: &mut Transaction, step: &TransactionStep) -> Result<Answer> {
    match step {
        TransactionStep::Get(collection, id) => {
            let found = txn.get(collection, id)?;
            let fields = found.map(|found| Ok::<_, Error>(found.fields()?.to_json()));
            return Ok(Answer::Fields(fields.transpose()?));
        }
        TransactionStep::Count(collection) => return Ok(Answer::Count(txn.count(collection)?)),
        TransactionStep::List(collection) => {
            return in_lines(&txn.find(collection, Filter::all())?);
        }
        TransactionStep::Find(collection, filter) => {
            return in_lines(&txn.find(collection, filter.clone())?);
        }
        TransactionStep::Query(collection, filter, sort, offset, limit) => {
            let mut query = txn.query(collection, filter.clone()).sort(sort.clone());
            query = query.offset(*offset);
            if let Some(limit) = limit {
                query = query.limit(*limit);
            }
            return in_lines(&query.documents()?);
        }
        TransactionStep::Insert(collection, id, fields) => txn.insert(collection, id, fields)?,
        TransactionStep::Replace(collection, id, fields) => txn.replace(collection, id, fields)?,
        TransactionStep::Upsert(collection, id, fields) => txn.upsert(collection, id, fields)?,
        TransactionStep::Update(collection, id, changes) => {
            txn.update(collection, id, update(changes))?;
        }
        TransactionStep::Delete(collection, id) => {
            return Ok(Answer::Count(u64::from(txn.delete(collection, id)?)));
        }
        TransactionStep::Document(collection, id) => {
            let found = txn.get(collection, id)?;
            return Ok(Answer::Documents(vec![found.as_ref().map(see)]));
        }
        TransactionStep::Compare(collection, id, one) => {
            txn.compare(collection, id, &condition(one)?)?;
        }
        TransactionStep::Settle(collection, id, version, how) => {
            return Ok(Answer::Version(match how {
                Settling::Complete(changes) => {
                    txn.complete(collection, id, *version, update(changes))?
                }
                Settling::Renew(duration) => txn.renew(collection, id, *version, *duration)?,
                Settling::Release => txn.release(collection, id, *version)?,
                Settling::Retry(not_before, reason) => {
                    txn.retry(collection, id, *version, at(*not_before), reason)?
                }
            }));
        }
        TransactionStep::Claim(claim) => {
            return Ok(Answer::Found(real_queries::claim_in(txn, claim)?));
        }
        TransactionStep::OfClaimed(_) | TransactionStep::Other(_) => {
            unreachable!("it is done otherwise")
        }
    }
    Ok(Answer::Done)
}

fn condition(condition: &Condition) -> Result<velocitydb::Condition> {
    Ok(match condition {
        Condition::Always => velocitydb::Condition::Always,
        Condition::Absent => velocitydb::Condition::Absent,
        Condition::Version(version) => velocitydb::Condition::Version(*version),
        Condition::Document(fields) => {
            velocitydb::Condition::Document(Encoded::from_object(fields)?)
        }
        Condition::Fields(fields) => {
            let fields = fields.iter().map(|(name, value)| Ok((name.parse()?, value.clone())));
            velocitydb::Condition::Fields(fields.collect::<Result<_>>()?)
        }
        Condition::Matches(filter) => velocitydb::Condition::Matches(Box::new(filter.clone())),
    })
}

fn action(action: &Action) -> Result<velocitydb::Action> {
    Ok(match action {
        Action::Insert(fields) => velocitydb::Action::Insert(Encoded::from_object(fields)?),
        Action::InsertNew(fields) => velocitydb::Action::InsertNew(Encoded::from_object(fields)?),
        Action::Import(fields, origin) => {
            velocitydb::Action::Import(Encoded::from_object(fields)?, *origin)
        }
        Action::Replace(fields) => velocitydb::Action::Replace(Encoded::from_object(fields)?),
        Action::Upsert(fields) => velocitydb::Action::Upsert(Encoded::from_object(fields)?),
        Action::Update(changes) => velocitydb::Action::Update(update(changes)),
        Action::Delete => velocitydb::Action::Delete,
        Action::Compare => velocitydb::Action::Compare,
        Action::Complete(changes) => velocitydb::Action::Complete(update(changes)),
        Action::Renew(duration) => velocitydb::Action::Renew(*duration),
        Action::Release => velocitydb::Action::Release,
        Action::Retry(not_before, reason) => {
            let update = Update::new().set(RETRY_AT_FIELD, at(*not_before));
            velocitydb::Action::Retry(update.set(RETRY_REASON_FIELD, reason.as_str()))
        }
        Action::Settle(..) => unreachable!("transactions alone do so"),
    })
}

/// The time this many microseconds after the beginning of 1970.
pub(super) fn at(micros: i64) -> Time {
    Time::from_micros(micros).unwrap()
}

pub(super) fn update(changes: &[Change]) -> Update {
    changes.iter().fold(Update::new(), |update, change| match change {
        Change::Set(name, value) => update.set(name, value.clone()),
        Change::Unset(name) => update.unset(name),
        Change::Inc(name, by) => update.inc(name, *by),
        Change::Push(name, value) => update.push(name, *value),
    })
}

fn in_lines(documents: &[Document]) -> Result<Answer> {
    let lines = documents
        .iter()
        .map(|one| Ok(format!("{} {}", Id::read(one.id()), one.fields()?.to_json())));
    Ok(Answer::Fields(Some(lines.collect::<Result<Vec<_>>>()?.join("\n"))))
}

fn page(find: Find, list: &Bounds) -> Result<Answer> {
    let sort = match list.direction {
        Direction::Forward => Sort::new().ascending("_id"),
        Direction::Backward => Sort::new().descending("_id"),
    };
    let find = match &list.after {
        Some(id) => find.after(PageToken::after_id(&sort, id)?),
        None => find,
    };
    let find = find.sort(sort).offset(list.offset as u64);
    let find = match list.limit {
        Some(limit) => find.limit(limit as u64),
        None => find,
    };
    let pulled = find.clone().iter()?.map(|one| Ok(see(&one?))).collect::<Result<Vec<_>>>()?;
    let page = find.page()?;
    let seen: Vec<_> = page.documents.iter().map(see).collect();
    assert_eq!(pulled, seen, "what is pulled is what is pushed");
    let next = seen.last().map(|one| one.id.clone()).filter(|_| page.next.is_some());
    Ok(Answer::Page(seen, next.map(Box::new)))
}

fn written(one: &Written) -> Answer {
    let Written { version, existed, index, is_replayed, .. } = *one;
    Answer::Written { version, existed, index, is_replayed }
}

pub(super) fn see(document: &Document) -> Seen {
    Seen {
        id: Id::read(document.id()),
        version: document.version(),
        created: document.created().as_micros(),
        modified: document.modified().as_micros(),
        expires: document.expires().map(|time| time.as_micros()),
        fields: document.fields().unwrap().to_json(),
    }
}

fn describe_outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Applied { version, existed } => format!("applied {version} {existed}"),
        Outcome::Held { version } => format!("held {version}"),
        Outcome::Refused(refusal) => format!("refused {}", describe_refusal(refusal)),
        Outcome::Abandoned => "abandoned".to_owned(),
    }
}

fn describe_refusal(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Exists { version } => format!("exists {version}"),
        Refusal::Missing => "missing".to_owned(),
        Refusal::Version { found, .. } => format!("version {found}"),
        Refusal::Content { version, .. } => format!("content {version}"),
        Refusal::Unmatched { version } => format!("unmatched {version}"),
        Refusal::Update(_) => "update".to_owned(),
        Refusal::Duplicate { index, .. } => format!("duplicate {}", index.as_str()),
        Refusal::Schema(_) => "schema".to_owned(),
        Refusal::NoLease { version } => format!("no lease {version}"),
    }
}

/// What a call failed with. That it was about an operation of a batch shows in its place.
fn describe_error(error: &Error) -> String {
    let position = error.batch().map_or(String::new(), |batch| format!("{}: ", batch.position));
    position + &describe_cause(error)
}

fn describe_cause(error: &Error) -> String {
    match error {
        Error::NotFound { .. } => "missing".to_owned(),
        Error::AlreadyExists { version, .. } => format!("exists {version}"),
        Error::Conflict => "conflict".to_owned(),
        Error::NoCollection { .. } => "no collection".to_owned(),
        Error::CollectionExists { .. } => "collection exists".to_owned(),
        Error::ConsistencyTooWeak { .. } => "too weak".to_owned(),
        Error::Duplicate { index, .. } => format!("duplicate {}", index.as_str()),
        Error::SchemaViolation { .. } => "schema".to_owned(),
        Error::SchemaViolated { count, .. } => format!("violated {count}"),
        Error::VersionMismatch { found, .. } => format!("version {found}"),
        Error::ConditionFailed { version, .. } => format!("content {version}"),
        Error::Inapplicable { .. } => "update".to_owned(),
        Error::Invalid(_) => "invalid".to_owned(),
        Error::NotLeased { version, .. } => format!("no lease {version}"),
        Error::NoIndex { .. } => "no index".to_owned(),
        Error::RequestReused { .. } => "request reused".to_owned(),
        Error::IndexFailed { .. } => "index failed".to_owned(),
        other => panic!("{other}"),
    }
}
