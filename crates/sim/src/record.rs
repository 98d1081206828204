//! [`Record`]: the reports of a worker to the auditor, one line before and after every
//! operation.
//!
//! A line is one write to a pipe, short enough to be atomic, so that the lines of several
//! threads do not mix and `kill -9` leaves no partial line.

use std::fmt;
use std::str::FromStr;

use velocitydb::{DocumentId, Value};

use crate::content::OperationId;
use crate::operation::{Job, Operation};

/// Where the journals of a data folder end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalEnd {
    /// The number of the newest journal.
    pub journal: u64,
    /// The length of its content.
    pub length: u64,
    /// A hash of what background fsyncs had changed before.
    pub background: u64,
}

/// A report of a worker to the auditor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// The database is open, and the operations begin.
    Opened,
    /// An operation is about to be executed.
    Begin(Operation),
    /// An operation was acknowledged.
    Applied {
        /// Its number.
        id: OperationId,
        /// Its position in the order of all commands; 0 if the answer has none.
        index: u64,
        /// The resulting version; 0 if there is none.
        version: u64,
    },
    /// A job was claimed.
    Claimed {
        /// The number of the claim.
        id: OperationId,
        /// Its position in the order of all commands.
        index: u64,
        /// The version of the job: the fencing token.
        version: u64,
        /// The job.
        job: Job,
    },
    /// A document was inserted under a generated id.
    Added {
        /// The number of the insert.
        id: OperationId,
        /// Its position in the order of all commands.
        index: u64,
        /// The version of the document.
        version: u64,
        /// Its id.
        document: DocumentId,
    },
    /// An operation was answered, and changed nothing.
    Nothing(OperationId),
    /// Something that must not happen did.
    Failed {
        /// What, in words.
        message: String,
    },
    /// The journal of the data folder was at least this long when its last write was durable.
    Durable(JournalEnd),
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Record::Opened => write!(f, "opened"),
            Record::Begin(operation) => write!(f, "begin {operation}"),
            Record::Applied { id, index, version } => {
                write!(f, "applied {} {index} {version}", id.0)
            }
            Record::Claimed { id, index, version, job } => {
                let Job { offer, number } = job;
                write!(f, "claimed {} {index} {version} {} {number}", id.0, offer.0)
            }
            Record::Added { id, index, version, document } => {
                let document = document.to_value().to_json();
                write!(f, "added {} {index} {version} {document}", id.0)
            }
            Record::Nothing(id) => write!(f, "nothing {}", id.0),
            Record::Failed { message } => write!(f, "failed {}", message.replace('\n', " ")),
            Record::Durable(JournalEnd { journal, length, background }) => {
                write!(f, "durable {journal} {length} {background}")
            }
        }
    }
}

/// A line that is not a valid record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the line {line:?} is no record")]
pub struct NotARecord {
    line: String,
}

impl FromStr for Record {
    type Err = NotARecord;

    fn from_str(line: &str) -> Result<Self, NotARecord> {
        parse(line).ok_or_else(|| NotARecord { line: line.to_owned() })
    }
}

fn parse(line: &str) -> Option<Record> {
    let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
    let mut numbers = rest.split(' ').map(|word| word.parse::<u64>().ok());
    let mut number = || numbers.next().flatten();
    Some(match kind {
        "opened" => Record::Opened,
        "begin" => Record::Begin(rest.parse().ok()?),
        "applied" => {
            Record::Applied { id: OperationId(number()?), index: number()?, version: number()? }
        }
        "claimed" => Record::Claimed {
            id: OperationId(number()?),
            index: number()?,
            version: number()?,
            job: Job { offer: OperationId(number()?), number: u8::try_from(number()?).ok()? },
        },
        "added" => Record::Added {
            id: OperationId(number()?),
            index: number()?,
            version: number()?,
            document: document(rest.splitn(4, ' ').nth(3)?)?,
        },
        "nothing" => Record::Nothing(OperationId(number()?)),
        "failed" => Record::Failed { message: rest.to_owned() },
        "durable" => Record::Durable(JournalEnd {
            journal: number()?,
            length: number()?,
            background: number()?,
        }),
        _ => return None,
    })
}

/// The id of a document, from its JSON.
fn document(json: &str) -> Option<DocumentId> {
    DocumentId::new(Value::from_json(json).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids;

    #[test]
    fn records_survive_being_written_as_a_line() {
        let id = OperationId::new(2, 1, 7);
        for record in [
            Record::Opened,
            Record::Applied { id, index: 9, version: 3 },
            Record::Claimed { id, index: 9, version: 3, job: Job { offer: id, number: 4 } },
            Record::Nothing(id),
            Record::Failed { message: "out of luck".to_owned() },
            Record::Durable(JournalEnd { journal: 4, length: 4_096, background: 5 }),
        ] {
            assert_eq!(record.to_string().parse(), Ok(record));
        }
        let text = DocumentId::new("made up, \"quoted\" \\u0041 é").unwrap();
        for document in (0..1_000).map(ids::of_number).chain([text]) {
            let record = Record::Added { id, index: 9, version: 1, document };
            assert_eq!(record.to_string().parse(), Ok(record));
        }
        assert!("applied 1 x".parse::<Record>().is_err());
    }
}
