//! [`State`]: the whole content of a database, for the checkers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use velocitydb::{Database, Document, DocumentId, NewIds, Snapshot, Time};

use crate::added::{self, Added};
use crate::content::{self, OperationId};
use crate::operation::{Job, Kind, Register};
use crate::perform::{ACCOUNTS_COLLECTION, LEDGER_COLLECTION};
use crate::shapes::{self, Founded, SWARM};
use crate::{ids, jobs};

/// The whole content of a database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// The position of the last command that is in it.
    pub index: u64,
    /// The registers that exist.
    pub registers: BTreeMap<Register, Observed>,
    /// The accounts by number.
    pub accounts: BTreeMap<DocumentId, Account>,
    /// The transfers that were made.
    pub ledger: BTreeMap<OperationId, Entry>,
    /// The jobs.
    pub jobs: BTreeMap<Job, JobState>,
    /// For each collection, its count, and how many documents it lists.
    pub counts: BTreeMap<String, (u64, u64)>,
    /// Descriptions of content that no operations can have left.
    pub malformed: Vec<String>,
    /// When the documents with a time to live expire.
    pub expiries: Vec<Time>,
    /// How many collections that are never dropped each operation has created.
    pub founded: Founded,
    /// The documents with generated ids that each operation has inserted.
    pub added: Added,
    /// The operations whose documents that expire together exist.
    pub swarms: BTreeSet<OperationId>,
}

/// The state of a job.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobState {
    /// Its version.
    pub version: u64,
    /// The claims that took it, in their order.
    pub claims: Vec<OperationId>,
    /// The operation that completed it.
    pub finished: Option<OperationId>,
    /// Whether it waits to be claimed.
    pub is_waiting: bool,
    /// The slot that it has.
    pub slot: Option<i64>,
}

/// A register that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// The version of its documents.
    pub version: u64,
    /// The operations that wrote it.
    pub trail: Vec<OperationId>,
}

/// An account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// Its version.
    pub version: u64,
    /// What it has.
    pub balance: i64,
}

/// A transfer that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The account that lost the amount.
    pub from: u8,
    /// The account that got it.
    pub to: u8,
    /// How much.
    pub amount: u8,
}

impl State {
    /// Reads everything.
    ///
    /// # Errors
    ///
    /// Those of the database; malformed content is not an error, but is in the state.
    pub fn read(db: &Database) -> velocitydb::Result<Self> {
        let snapshot = db.snapshot()?;
        let mut state = State { index: snapshot.index()?, ..State::default() };
        for collection in snapshot.collections()? {
            let name = collection.name.as_str();
            let mut listed = 0;
            let mut documents = BTreeMap::new();
            for document in snapshot.iter(name)? {
                let document = document?;
                listed += 1;
                documents.insert(document.id().clone(), document);
            }
            state.counts.insert(name.to_owned(), (collection.count, listed));
            state.read_collection(name, &documents);
        }
        state.check_single_reads(&snapshot)?;
        Ok(state)
    }

    /// When the last of the documents that expire within `soon` from `now`
    /// expires.
    pub fn expires_soon_last(&self, now: Time, soon: Duration) -> Option<Time> {
        let end = now.checked_add(soon)?;
        self.expiries.iter().copied().filter(|expires| *expires < end).max()
    }

    fn read_collection(&mut self, name: &str, documents: &BTreeMap<DocumentId, Document>) {
        match name {
            ACCOUNTS_COLLECTION => self.read_accounts(documents),
            LEDGER_COLLECTION => self.read_ledger(documents),
            jobs::COLLECTION => self.read_jobs(documents),
            SWARM => self.read_swarms(documents),
            _ if let Some(new_ids) = added::new_ids(name) => self.read_added(new_ids, documents),
            _ if let Some(founder) = shapes::founder(name) => {
                *self.founded.entry(founder).or_default() += 1;
            }
            _ => match Kind::ALL.into_iter().find(|kind| kind.collection() == name) {
                Some(kind) => self.read_registers(kind, documents),
                None => self.malformed.push(format!("collection {name:?}, which nobody made")),
            },
        }
    }

    fn read_registers(&mut self, kind: Kind, documents: &BTreeMap<DocumentId, Document>) {
        for id in documents.keys() {
            if Register::of_document(kind, id).is_none() {
                self.malformed.push(format!("document {}/{id}, invented", kind.collection()));
            }
        }
        for number in 0..kind.count() {
            let register = Register { kind, number };
            let ids = register.documents();
            let found: Vec<&Document> = ids.iter().filter_map(|id| documents.get(id)).collect();
            self.expiries.extend(found.iter().filter_map(|document| document.expires()));
            match observe(&found, ids.len()) {
                Ok(Some(observed)) => {
                    self.registers.insert(register, observed);
                }
                Ok(None) => {}
                Err(what) => self.malformed.push(format!("{register}: {what}")),
            }
        }
    }

    fn read_accounts(&mut self, documents: &BTreeMap<DocumentId, Document>) {
        for (id, document) in documents {
            match integer(document, "balance") {
                Some(balance) => {
                    let account = Account { version: document.version(), balance };
                    self.accounts.insert(id.clone(), account);
                }
                None => self.malformed.push(format!("account {id} has no balance")),
            }
        }
    }

    fn read_ledger(&mut self, documents: &BTreeMap<DocumentId, Document>) {
        for (id, document) in documents {
            let number = |name| u8::try_from(integer(document, name)?).ok();
            let entry = || {
                let id = OperationId(ids::number_of(id)?);
                let (from, to) = (number("from")?, number("to")?);
                Some((id, Entry { from, to, amount: number("amount")? }))
            };
            match entry() {
                Some((id, entry)) => {
                    self.ledger.insert(id, entry);
                }
                None => self.malformed.push(format!("ledger entry {id} cannot be read")),
            }
        }
    }

    fn read_jobs(&mut self, documents: &BTreeMap<DocumentId, Document>) {
        for (id, document) in documents {
            let fields = document.fields().ok();
            let job = Job::of_document(id);
            match job.zip(fields.and_then(|fields| jobs::read(document.version(), &fields))) {
                Some((job, state)) => drop(self.jobs.insert(job, state)),
                None => self.malformed.push(format!("job {id} cannot be read")),
            }
        }
    }

    fn read_swarms(&mut self, documents: &BTreeMap<DocumentId, Document>) {
        for (id, document) in documents {
            self.expiries.extend(document.expires());
            match shapes::swarmed(document) {
                Some(operation) => drop(self.swarms.insert(operation)),
                None => self.malformed.push(format!("document {SWARM}/{id}, invented")),
            }
        }
    }

    fn read_added(&mut self, new_ids: NewIds, documents: &BTreeMap<DocumentId, Document>) {
        for (id, document) in documents {
            match added::operation_of(new_ids, document) {
                Some(operation) => self.added.entry(operation).or_default().push(id.clone()),
                None => self
                    .malformed
                    .push(format!("document {}/{id}, invented", added::collection(new_ids))),
            }
        }
    }

    /// Checks that single reads and lists agree.
    fn check_single_reads(&mut self, snapshot: &Snapshot) -> velocitydb::Result<()> {
        for (register, observed) in &self.registers {
            let ids = register.documents();
            let document = snapshot.get(register.kind.collection(), &ids[0])?;
            if document.is_none_or(|document| document.version() != observed.version) {
                self.malformed.push(format!("{register}: listed, and not to be got"));
            }
        }
        Ok(())
    }
}

fn integer(document: &Document, name: &str) -> Option<i64> {
    document.field(name).ok()??.as_i64().ok()?
}

/// A register from its documents, which must all exist and be alike, or all be
/// missing.
fn observe(documents: &[&Document], count: usize) -> Result<Option<Observed>, String> {
    let Some(first) = documents.first() else { return Ok(None) };
    let trail = content::trail(first)?;
    for document in &documents[1..] {
        if document.version() != first.version() || content::trail(document)? != trail {
            return Err(format!(
                "half of a batch, document {} has version {} and {} has version {}",
                first.id(),
                first.version(),
                document.id(),
                document.version()
            ));
        }
    }
    match documents.len() == count {
        true => Ok(Some(Observed { version: first.version(), trail })),
        false => Err(format!("half of a batch, {} of {count} documents", documents.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use velocitydb::Object;

    #[test]
    fn a_state_is_read_and_halves_of_batches_are_found() {
        let db = velocitydb::open_in_memory().unwrap();
        let (first, second) = (OperationId::new(1, 0, 1), OperationId::new(1, 0, 2));
        let groups = db.documents("groups");
        let register = Register { kind: Kind::Group, number: 0 };
        for id in register.documents() {
            groups.insert(&id, first.fields()).unwrap();
        }
        let state = State::read(&db).unwrap();
        assert_eq!(state.malformed, Vec::<String>::new());
        assert_eq!(state.registers[&register], Observed { version: 1, trail: vec![first] });
        assert_eq!(state.counts["groups"], (2, 2));

        let last = &register.documents()[1];
        groups.update(last, second.update()).unwrap();
        let torn = State::read(&db).unwrap();
        assert!(torn.malformed[0].contains("half of a batch"), "{:?}", torn.malformed);
        groups.delete(last).unwrap();
        let torn = State::read(&db).unwrap();
        assert!(torn.malformed[0].contains("1 of 2 documents"), "{:?}", torn.malformed);
    }

    #[test]
    fn torn_and_invented_documents_are_found() {
        let db = velocitydb::open_in_memory().unwrap();
        let notes = db.documents("notes");
        let mut fields: Object = OperationId::new(1, 0, 1).fields();
        fields.insert("n", -1);
        notes.insert(ids::of_number(0), fields).unwrap();
        notes.insert("unknown", OperationId::new(1, 0, 2).fields()).unwrap();
        db.documents("strange").insert("a", Object::new()).unwrap();
        let state = State::read(&db).unwrap();
        assert_eq!(state.malformed.len(), 3, "{:?}", state.malformed);
    }
}
