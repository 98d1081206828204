//! [`Operation`]: one call of a client, and the line of text that reports it to the
//! auditor.

use std::fmt;
use std::str::FromStr;

use velocitydb::{Consistency, DocumentId};

use crate::content::OperationId;
use crate::ids;

/// One call of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// Its number, which decides what it writes.
    pub id: OperationId,
    /// Its consistency level.
    pub level: Consistency,
    /// Whether it has a request id.
    pub retry: Retry,
    /// What it does.
    pub what: What,
}

/// Whether a call can be safely repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It has no request id.
    Unsafe,
    /// It has a request id: that of the operation's number.
    Safe,
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Writes a register.
    Write {
        /// Which one.
        register: Register,
        /// How.
        effect: Effect,
        /// What must hold.
        compare: Compare,
    },
    /// Moves an amount from one account to another, and records it in the ledger.
    Transfer {
        /// The account that loses it.
        from: u8,
        /// The account that gets it.
        to: u8,
        /// How much.
        amount: u8,
    },
    /// Creates the collection that is dropped now and then.
    Create,
    /// Drops that collection.
    Drop,
    /// Makes everything before it as durable as the mode can.
    Sync,
    /// Offers some jobs of a kind, one of which uses a slot that only one job can use at
    /// a time.
    Offer {
        /// Their kind.
        kind: u8,
        /// The slot.
        slot: u8,
    },
    /// Claims the first waiting job of a kind.
    Claim {
        /// The kind.
        kind: u8,
        /// For how long.
        lease: Lease,
    },
    /// Completes a job that was claimed.
    Finish {
        /// Which one.
        job: Job,
        /// The version that the claim gave it.
        version: u64,
        /// For how long it was claimed.
        lease: Lease,
    },
    /// Creates the index of this number.
    CreateIndex(u8),
    /// Drops the index of this number.
    DropIndex(u8),
    /// Creates some collections that are never dropped.
    Found,
    /// Inserts many documents that expire together, within milliseconds.
    Swarm,
    /// Starts a read, and abandons it.
    Glance,
    /// Inserts a document whose id the database generates.
    Add,
}

/// One of the jobs that an operation offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Job {
    /// The operation.
    pub offer: OperationId,
    /// Which of them.
    pub number: u8,
}

/// More jobs than one operation offers.
const JOBS_MAX: u64 = 32;

/// For how long a job is claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lease {
    /// For longer than any cycle.
    Long,
    /// For milliseconds: then it waits again.
    Brief,
}

impl Job {
    /// The id of its document.
    pub fn document(self) -> DocumentId {
        ids::of_number(self.offer.0 * JOBS_MAX + u64::from(self.number))
    }

    /// The job of a document.
    pub fn of_document(id: &DocumentId) -> Option<Self> {
        let number = ids::number_of(id)?;
        Some(Job { offer: OperationId(number / JOBS_MAX), number: (number % JOBS_MAX) as u8 })
    }
}

impl Lease {
    fn name(self) -> &'static str {
        match self {
            Lease::Long => "long",
            Lease::Brief => "brief",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Lease::Long, Lease::Brief].into_iter().find(|lease| lease.name() == name)
    }
}

/// What is written atomically: a document, or all documents of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Register {
    /// Where it is.
    pub kind: Kind,
    /// Its number there.
    pub number: u8,
}

/// The collections of registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Single documents, written by all threads.
    Note,
    /// Groups of documents that are only written together, in one batch, by all threads.
    Group,
    /// Single documents that expire, written by all threads.
    Fleeting,
    /// Single documents of a collection that is dropped now and then, written by one thread.
    Tide,
}

/// What happens to a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It is created.
    Insert,
    /// It is created with a version that it is said to have had elsewhere.
    Import,
    /// It is created or replaced.
    Upsert,
    /// It is replaced, and expires within milliseconds.
    UpsertBriefly,
    /// It is replaced, and expires in an hour.
    UpsertForAnHour,
    /// It is replaced.
    Replace,
    /// Some of it is changed.
    Update,
    /// It is deleted.
    Delete,
}

/// What must hold for a write to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    /// Nothing.
    Nothing,
    /// It does not exist.
    Absent,
    /// It has this version.
    Version(u64),
    /// Its field `n` has this value.
    Number(i64),
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 4] = [Kind::Note, Kind::Group, Kind::Fleeting, Kind::Tide];

    /// The name of the collection.
    pub fn collection(self) -> &'static str {
        match self {
            Kind::Note => "notes",
            Kind::Group => "groups",
            Kind::Fleeting => "fleeting",
            Kind::Tide => "tides",
        }
    }

    /// How many registers it has.
    pub fn count(self) -> u8 {
        match self {
            Kind::Note => 48,
            Kind::Group => 8,
            Kind::Fleeting | Kind::Tide => 16,
        }
    }
}

/// How many documents each group has.
const GROUP_SIZES: [u8; 8] = [2, 2, 2, 2, 3, 5, 20, 100];

/// More documents than a group has.
const GROUP_SIZE_MAX: u64 = 128;

impl Register {
    /// The ids of its documents.
    pub fn documents(self) -> Vec<DocumentId> {
        let number = u64::from(self.number);
        match self.kind {
            Kind::Group => {
                let first = number * GROUP_SIZE_MAX;
                (first..first + self.size()).map(ids::of_number).collect()
            }
            _ => vec![ids::of_number(number)],
        }
    }

    /// The register that a document belongs to.
    pub fn of_document(kind: Kind, id: &DocumentId) -> Option<Self> {
        let place = ids::number_of(id)?;
        let (number, member) = match kind {
            Kind::Group => (place / GROUP_SIZE_MAX, place % GROUP_SIZE_MAX),
            _ => (place, 0),
        };
        let register = Register { kind, number: u8::try_from(number).ok()? };
        (register.number < kind.count() && member < register.size()).then_some(register)
    }

    /// How many documents it has.
    fn size(self) -> u64 {
        match self.kind {
            Kind::Group => GROUP_SIZES[usize::from(self.number) % GROUP_SIZES.len()].into(),
            _ => 1,
        }
    }
}

impl Effect {
    /// Whether it writes the register as a whole.
    pub fn is_full(self) -> bool {
        !matches!(self, Effect::Update | Effect::Delete)
    }
}

impl fmt::Display for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{:02}", self.kind.collection(), self.number)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let retry = if self.retry == Retry::Safe { "safe" } else { "unsafe" };
        write!(f, "{} {} {retry} ", self.id.0, self.level)?;
        match self.what {
            What::Write { register: Register { kind, number }, effect, compare } => {
                write!(f, "write {} {number} {} {compare}", kind.collection(), effect.name())
            }
            What::Transfer { from, to, amount } => write!(f, "transfer {from} {to} {amount}"),
            What::Create => write!(f, "create"),
            What::Drop => write!(f, "drop"),
            What::Sync => write!(f, "sync"),
            What::Offer { kind, slot } => write!(f, "offer {kind} {slot}"),
            What::Claim { kind, lease } => write!(f, "claim {kind} {}", lease.name()),
            What::Finish { job, version, lease } => {
                let Job { offer, number } = job;
                write!(f, "finish {} {number} {version} {}", offer.0, lease.name())
            }
            What::CreateIndex(number) => write!(f, "create-index {number}"),
            What::DropIndex(number) => write!(f, "drop-index {number}"),
            What::Found => write!(f, "found"),
            What::Swarm => write!(f, "swarm"),
            What::Glance => write!(f, "glance"),
            What::Add => write!(f, "add"),
        }
    }
}

impl fmt::Display for Compare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Compare::Nothing => write!(f, "nothing 0"),
            Compare::Absent => write!(f, "absent 0"),
            Compare::Version(version) => write!(f, "version {version}"),
            Compare::Number(number) => write!(f, "number {number}"),
        }
    }
}

const EFFECTS: [(&str, Effect); 8] = [
    ("insert", Effect::Insert),
    ("import", Effect::Import),
    ("upsert", Effect::Upsert),
    ("upsert-briefly", Effect::UpsertBriefly),
    ("upsert-for-an-hour", Effect::UpsertForAnHour),
    ("replace", Effect::Replace),
    ("update", Effect::Update),
    ("delete", Effect::Delete),
];

impl Effect {
    fn name(self) -> &'static str {
        EFFECTS.iter().find(|(_, effect)| *effect == self).map_or("", |(name, _)| name)
    }
}

/// A line that is no operation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the line {line:?} does not say what is done")]
pub struct NotAnOperation {
    line: String,
}

impl FromStr for Operation {
    type Err = NotAnOperation;

    fn from_str(line: &str) -> Result<Self, NotAnOperation> {
        parse(line).ok_or_else(|| NotAnOperation { line: line.to_owned() })
    }
}

fn parse(line: &str) -> Option<Operation> {
    let words: Vec<&str> = line.split(' ').collect();
    let (&[id, level, retry], what) = words.split_first_chunk::<3>()?;
    let what = match what {
        ["write", kind, number, effect, compare, operand] => What::Write {
            register: Register {
                kind: Kind::ALL.into_iter().find(|one| one.collection() == *kind)?,
                number: number.parse().ok()?,
            },
            effect: EFFECTS.iter().find(|(name, _)| name == effect)?.1,
            compare: match *compare {
                "nothing" => Compare::Nothing,
                "absent" => Compare::Absent,
                "version" => Compare::Version(operand.parse().ok()?),
                "number" => Compare::Number(operand.parse().ok()?),
                _ => return None,
            },
        },
        ["transfer", from, to, amount] => What::Transfer {
            from: from.parse().ok()?,
            to: to.parse().ok()?,
            amount: amount.parse().ok()?,
        },
        ["create"] => What::Create,
        ["drop"] => What::Drop,
        ["sync"] => What::Sync,
        ["offer", kind, slot] => What::Offer { kind: kind.parse().ok()?, slot: slot.parse().ok()? },
        ["claim", kind, lease] => {
            What::Claim { kind: kind.parse().ok()?, lease: Lease::named(lease)? }
        }
        ["finish", offer, number, version, lease] => What::Finish {
            job: Job { offer: OperationId(offer.parse().ok()?), number: number.parse().ok()? },
            version: version.parse().ok()?,
            lease: Lease::named(lease)?,
        },
        ["create-index", number] => What::CreateIndex(number.parse().ok()?),
        ["drop-index", number] => What::DropIndex(number.parse().ok()?),
        ["found"] => What::Found,
        ["swarm"] => What::Swarm,
        ["glance"] => What::Glance,
        ["add"] => What::Add,
        _ => return None,
    };
    let retry = if retry == "safe" { Retry::Safe } else { Retry::Unsafe };
    Some(Operation { id: OperationId(id.parse().ok()?), level: level.parse().ok()?, retry, what })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Random;
    use crate::workload::Workload;

    #[test]
    fn operations_survive_being_written_as_a_line() {
        let mut workload = Workload::new(Random::new(1), 1, 0);
        for _ in 0..1_000 {
            let operation = workload.next_operation(&mut |_| Some((3, -4)));
            assert_eq!(operation.to_string().parse(), Ok(operation));
        }
        assert!("1 strong safe write".parse::<Operation>().is_err());
    }

    #[test]
    fn documents_lead_back_to_their_register() {
        for kind in Kind::ALL {
            for number in 0..kind.count() {
                let register = Register { kind, number };
                for id in register.documents() {
                    assert_eq!(Register::of_document(kind, &id), Some(register));
                }
            }
        }
        assert_eq!(Register::of_document(Kind::Group, &ids::of_number(2)), None);
        assert_eq!(Register::of_document(Kind::Note, &ids::of_number(99)), None);
        let job = Job { offer: OperationId::new(49, 3, 70_000), number: 19 };
        assert_eq!(Job::of_document(&job.document()), Some(job));
    }
}
