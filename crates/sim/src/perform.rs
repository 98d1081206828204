//! Executing an [`Operation`] on a database: the only module of the workload that uses
//! the API.

use std::time::Duration;

use velocitydb::{
    Action, Condition, Consistency, Database, DocumentId, Documents, Encoded, Error, IntoFields,
    Outcome, Path, RequestId, Value, WriteBatch, Written, object,
};

use crate::content::OperationId;
use crate::operation::{Compare, Effect, Job, Kind, Operation, Register, Retry, What};
use crate::workload::ACCOUNTS;
use crate::{added, ids, jobs, shapes};

/// What every account begins with.
pub const BALANCE: i64 = 1_000;

/// The collection of accounts.
pub const ACCOUNTS_COLLECTION: &str = "accounts";

/// The collection of transfers, by the number of the operation.
pub const LEDGER_COLLECTION: &str = "ledger";

/// The collection for inserts under a request id that was used before.
const STRAYS_COLLECTION: &str = "strays";

/// How long a document lives that is written briefly.
const BRIEFLY: Duration = Duration::from_millis(15);
const AN_HOUR: Duration = Duration::from_secs(60 * 60);

/// How often a transfer that conflicts with others is tried.
const TRANSFER_ATTEMPTS: u32 = 20;

/// The outcome of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// It was applied.
    Applied {
        /// Its position in the order of all commands; 0 if the answer has none.
        index: u64,
        /// The resulting version; 0 if there is none.
        version: u64,
        /// Whether this is the answer to an earlier call.
        is_replayed: bool,
    },
    /// A job was claimed.
    Claimed {
        /// The position of the claim in the order of all commands.
        index: u64,
        /// The version of the job.
        version: u64,
        /// The job.
        job: Job,
    },
    /// A document was inserted under a generated id.
    Added {
        /// The position of the insert in the order of all commands.
        index: u64,
        /// The version of the document.
        version: u64,
        /// Its id.
        document: DocumentId,
        /// Whether this is the answer to an earlier call.
        is_replayed: bool,
    },
    /// Its condition did not hold, or there was nothing to change.
    Nothing,
}

/// Creates the accounts and the collections with options, if they do not exist.
///
/// # Errors
///
/// Those of the database.
pub fn prepare(db: &Database) -> velocitydb::Result<()> {
    jobs::create_slots(db)?;
    added::create_collections(db)?;
    let accounts = db.documents(ACCOUNTS_COLLECTION);
    if accounts.count()? > 0 {
        return Ok(());
    }
    let all = (0..ACCOUNTS).map(|number| (account(number), object! { "balance": BALANCE }));
    accounts.insert_many(all).map(|_| ())
}

/// The id of an account.
pub fn account(number: u8) -> DocumentId {
    ids::of_number(number.into())
}

/// The id of the entry of a transfer in the ledger.
pub fn entry(transfer: OperationId) -> DocumentId {
    ids::of_number(transfer.0)
}

/// The version and the number of a register, by reads at `local`.
pub fn read(db: &Database, register: Register) -> Option<(u64, i64)> {
    let documents = db.documents(register.kind.collection()).at(Consistency::Local);
    let document = documents.get(register.documents().first()?).ok()??;
    let number = document.field("n").ok()??.as_i64().ok()??;
    Some((document.version(), number))
}

/// Uses the request id of an answered operation for another command, an insert without an id;
/// returns whether that was refused, as it has to be.
///
/// # Errors
///
/// Those of the database.
pub fn is_reuse_refused(db: &Database, operation: &Operation) -> velocitydb::Result<bool> {
    let Some(request) = operation.request() else { return Ok(true) };
    let strays = db.documents(STRAYS_COLLECTION).at(operation.level).request(request);
    match strays.insert_new(operation.id.fields()) {
        Err(Error::RequestReused { .. }) => Ok(true),
        result => result.map(|_| false),
    }
}

/// Executes an operation.
///
/// # Errors
///
/// An error that no client should ever get, whatever others do at the same time.
pub fn perform(db: &Database, operation: &Operation) -> velocitydb::Result<Done> {
    let result = match operation.what {
        What::Write { register, effect, compare } => match register.kind {
            Kind::Group => write_group(db, operation, register, effect, compare),
            _ => write_document(db, operation, register, effect, compare),
        },
        What::Transfer { from, to, amount } => transfer(db, operation.id, (from, to), amount),
        What::Create => {
            let name = Kind::Tide.collection();
            db.create_collection(name, Default::default()).map(|()| Done::unplaced())
        }
        What::Drop => db.drop_collection(Kind::Tide.collection()).map(|()| Done::unplaced()),
        What::Sync => db.sync().map(|()| Done::unplaced()),
        What::Offer { kind, slot } => jobs::offer(db, operation.id, kind, slot),
        What::Claim { kind, lease } => jobs::claim(db, operation.id, kind, lease),
        What::Finish { job, version, lease } => jobs::finish(db, operation.id, job, version, lease),
        What::CreateIndex(number) => jobs::create_index(db, number),
        What::DropIndex(number) => jobs::drop_index(db, number),
        What::Found => shapes::found(db, operation.id),
        What::Swarm => shapes::swarm(db, operation.id),
        What::Glance => shapes::glance(db, operation.id),
        What::Add => added::add(db, operation),
    };
    match result {
        Err(
            Error::AlreadyExists { .. }
            | Error::NotFound { .. }
            | Error::NoCollection { .. }
            | Error::CollectionExists { .. }
            | Error::NoIndex { .. }
            | Error::Duplicate { .. }
            | Error::Conflict,
        ) => Ok(Done::Nothing),
        result => result,
    }
}

impl Done {
    pub(crate) fn unplaced() -> Self {
        Done::Applied { index: 0, version: 0, is_replayed: false }
    }
}

impl Operation {
    /// The request id that it is made with.
    pub(crate) fn request(&self) -> Option<RequestId> {
        let is_safe = self.retry == Retry::Safe;
        is_safe.then(|| RequestId::new(&self.id.0.to_string()).expect("a number is short"))
    }
}

fn write_document(
    db: &Database,
    operation: &Operation,
    register: Register,
    effect: Effect,
    compare: Compare,
) -> velocitydb::Result<Done> {
    let mut documents = db.documents(register.kind.collection()).at(operation.level);
    if let Some(request) = operation.request() {
        documents = documents.request(request);
    }
    let ids = register.documents();
    let id = &ids[0];
    if compare != Compare::Nothing {
        return swap_document(&documents, id, operation.id, effect, compare);
    }
    let fields = || operation.id.fields();
    let written = match effect {
        Effect::Insert => documents.insert(id, fields()),
        Effect::Import => match documents.import(id, fields(), operation.id.origin()) {
            // It had that version here, or a later one.
            Err(Error::Inapplicable { .. }) => return Ok(Done::Nothing),
            written => written,
        },
        Effect::Upsert => documents.upsert(id, fields()),
        Effect::UpsertBriefly => documents.time_to_live(BRIEFLY).upsert(id, fields()),
        Effect::UpsertForAnHour => documents.time_to_live(AN_HOUR).upsert(id, fields()),
        Effect::Replace => documents.replace(id, fields()),
        Effect::Update => documents.update(id, operation.id.update()),
        Effect::Delete => {
            let written = documents.delete(id)?;
            return Ok(if written.existed { done(&written) } else { Done::Nothing });
        }
    };
    Ok(done(&written?))
}

fn done(written: &Written) -> Done {
    let Written { index, version, is_replayed, .. } = *written;
    Done::Applied { index, version, is_replayed }
}

fn swap_document(
    documents: &Documents,
    id: &DocumentId,
    operation: OperationId,
    effect: Effect,
    compare: Compare,
) -> velocitydb::Result<Done> {
    let swap = documents.compare_and_swap(id);
    let swap = match compare {
        Compare::Nothing => swap,
        Compare::Absent => swap.absent(),
        Compare::Version(version) => swap.version(version),
        Compare::Number(number) => swap.field("n", number),
    };
    let swapped = match effect {
        Effect::Update => swap.update(operation.update()),
        Effect::Delete => swap.delete(),
        _ => swap.replace(operation.fields()),
    }?;
    let (index, version, is_replayed) = (swapped.index, swapped.version, swapped.is_replayed);
    Ok(if swapped.is_applied {
        Done::Applied { index, version, is_replayed }
    } else {
        Done::Nothing
    })
}

fn write_group(
    db: &Database,
    operation: &Operation,
    register: Register,
    effect: Effect,
    compare: Compare,
) -> velocitydb::Result<Done> {
    let mut batch = WriteBatch::new();
    let action = match effect {
        Effect::Update => Action::Update(operation.id.update()),
        Effect::Delete => Action::Delete,
        _ => Action::Upsert(operation.id.fields().into_fields()?),
    };
    for (position, id) in register.documents().iter().enumerate() {
        let condition = if position == 0 { condition(compare)? } else { Condition::Always };
        batch.compare_and_swap(register.kind.collection(), id, condition, action.clone())?;
    }
    let result = db.write_for_outcomes(batch, operation.level, operation.request())?;
    let (index, is_replayed) = (result.index, result.is_replayed);
    Ok(match result.outcomes.first() {
        Some(Outcome::Applied { version, .. }) if result.is_applied => {
            Done::Applied { index, version: *version, is_replayed }
        }
        _ => Done::Nothing,
    })
}

fn condition(compare: Compare) -> velocitydb::Result<Condition> {
    Ok(match compare {
        Compare::Nothing => Condition::Always,
        Compare::Absent => Condition::Absent,
        Compare::Version(version) => Condition::Version(version),
        Compare::Number(number) => {
            Condition::Fields(vec![(Path::field("n")?, Some(Value::from(number)))])
        }
    })
}

fn transfer(
    db: &Database,
    id: OperationId,
    (from, to): (u8, u8),
    amount: u8,
) -> velocitydb::Result<Done> {
    for _ in 0..TRANSFER_ATTEMPTS {
        let mut txn = db.begin()?;
        for (number, sign) in [(from, -1), (to, 1)] {
            let found = txn.get(ACCOUNTS_COLLECTION, account(number))?;
            let fields = found.map(|found| found.fields()).transpose()?;
            let balance = fields.as_ref().and_then(|fields| fields.get("balance")?.as_i64());
            let balance = balance.unwrap_or_default() + sign * i64::from(amount);
            let fields: Encoded = object! { "balance": balance }.into_fields()?;
            txn.replace(ACCOUNTS_COLLECTION, account(number), fields)?;
        }
        let fields = object! { "from": from, "to": to, "amount": amount };
        txn.insert(LEDGER_COLLECTION, entry(id), fields)?;
        match txn.commit() {
            Err(Error::Conflict) => {}
            result => {
                return Ok(Done::Applied { index: result?, version: 0, is_replayed: false });
            }
        }
    }
    Ok(Done::Nothing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_have_their_version_and_are_refused_below_it() {
        let db = velocitydb::open_in_memory().unwrap();
        let write = |sequence, effect| {
            let register = Register { kind: Kind::Note, number: 5 };
            let what = What::Write { register, effect, compare: Compare::Nothing };
            let id = OperationId::new(1, 0, sequence);
            let (level, retry) = (Consistency::Strong, Retry::Unsafe);
            perform(&db, &Operation { id, level, retry, what }).unwrap()
        };
        let imported = OperationId::new(1, 0, 500).imported_version();
        let Done::Applied { version, .. } = write(500, Effect::Import) else { panic!() };
        assert_eq!(version, imported);
        assert_eq!(write(900, Effect::Import), Done::Nothing);
        write(501, Effect::Delete);
        assert_eq!(write(1, Effect::Import), Done::Nothing);
        assert!(matches!(write(900, Effect::Import), Done::Applied { .. }));
    }
}
