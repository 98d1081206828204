//! Decodes a [`Command`] from the bytes that [`encoding`](super::encoding) specifies.
//!
//! The bytes come from a log or the network, and are not trusted. Nothing here panics, and no memory is
//! reserved for a list before its entries have been read, so memory use is a small multiple of the input.
//! Decoded commands are within the limits of commands: size and number of operations are checked here, and
//! names, ids, documents, filters and the like by their own types. Whether a command is valid in a state is
//! not checked here.
//!
//! Each command has one encoding, and no other is accepted, even with the same meaning: a decoded command
//! is encoded again and compared. So copies of a log can be compared by their bytes, and a fingerprint of a
//! command is one of its bytes. If a later release encodes a part differently, for instance with the parts
//! of a filter in another order, that is a new version.
//!
//! # CAVEATS
//!
//! - Patterns of regular expressions are compiled when a filter is decoded. A few bytes of pattern can take
//!   [`REGEX_PROGRAM_BYTES_MAX`](crate::limits::REGEX_PROGRAM_BYTES_MAX) bytes.
//! - A schema is only checked to be an object here, and compiled when it is applied.

use std::time::Duration;

use super::bounds::{check_bytes, check_checks, check_operations, check_set};
use super::{
    Action, BegunLease, Body, COMMAND_VERSION, Check, CollectionOptions, Command, Condition,
    Expiry, Lease, LeaseChange, Maintain, MaintainScope, Modify, Operation, QueryCheck, Recall,
    Request, RequestId, SchemaChange, Skip, Write,
};
use crate::container::ensure;
use crate::format::Names;
use crate::{
    CollectionName, Consistency, DocumentId, Encoded, Error, Filter, Histogram, IndexName,
    IndexSpec, NewIds, Object, Origin, RawObject, RawValue, Release, Result, Sort, Time, Update,
    Value, decode_varint,
};

/// The smallest size of a check: a tag, a name of one letter and a number.
const CHECK_BYTES_MIN: usize = 4;
/// The smallest size of an operation: name, id, condition, action and expiry.
const OPERATION_BYTES_MIN: usize = 7;
/// The smallest size of the id of a document.
const ID_BYTES_MIN: usize = 2;
/// The smallest size of a path.
const PATH_BYTES_MIN: usize = 2;
/// The smallest size of a compared field: a path, and no value.
const FIELD_BYTES_MIN: usize = 3;

impl Command {
    /// Decodes and checks what [`encode_into`](Self::encode_into) wrote.
    ///
    /// ```
    /// use velocitydb_core::{Body, Command, Time};
    ///
    /// let body = Body::DropCollection { name: "orders".try_into()? };
    /// let command = Command { now: Time::UNIX_EPOCH, request: None, body };
    /// let mut bytes = Vec::new();
    /// command.encode_into(&mut bytes)?;
    /// assert_eq!(Command::decode(&bytes)?, command);
    /// assert!(Command::decode(&bytes[1..]).is_err());
    /// # Ok::<(), velocitydb_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::UnknownVersion`] when the first byte is not [`COMMAND_VERSION`]; [`Error::Corrupt`] when
    /// the bytes are not a command, or not its canonical encoding; [`Error::LimitExceeded`], and the errors
    /// of names, filters, updates and the like, when a part is not valid.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        check_bytes(bytes.len())?;
        let mut reader = Reader { rest: bytes };
        let command = reader.command()?;
        ensure(reader.rest.is_empty(), "a command has trailing bytes")?;
        ensure(command.is_encoded_as(bytes)?, "a part of a command is not in its canonical form")?;
        Ok(command)
    }
}

/// The rest of a command that is being decoded.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn command(&mut self) -> Result<Command> {
        let found = self.byte()?;
        if found != COMMAND_VERSION {
            return Err(Error::UnknownVersion {
                what: "a command".into(),
                found,
                known: COMMAND_VERSION,
            });
        }
        let now = self.time()?;
        let request = match self.text()? {
            "" => None,
            id => Some(Request { id: RequestId::new(id)?, fingerprint: self.fingerprint()? }),
        };
        Ok(Command { now, request, body: self.body()? })
    }

    fn body(&mut self) -> Result<Body> {
        Ok(match self.byte()? {
            0 => Body::Write(self.write()?),
            1 => {
                let name = self.collection()?;
                let (min_write, min_read) = (self.floor()?, self.floor()?);
                let ids = NewIds::ALL.get(usize::from(self.byte()?)).copied();
                let ids = ids.ok_or(Error::corrupt("a kind of new ids is unknown"))?;
                let options = CollectionOptions { min_write, min_read, ids };
                Body::CreateCollection { name, options }
            }
            2 => Body::DropCollection { name: self.collection()? },
            3 => Body::Maintain(self.maintain()?),
            4 => Body::Modify(Box::new(self.modify()?)),
            5 => {
                let collection = self.collection()?;
                let spec = Box::new(IndexSpec::decode(self.bytes()?)?);
                Body::CreateIndex { collection, spec }
            }
            6 => Body::BuildIndex {
                collection: self.collection()?,
                name: self.index()?,
                count_max: self.small_number()?,
            },
            7 => Body::DropIndex { collection: self.collection()?, name: self.index()? },
            8 => Body::SetSchema { collection: self.collection()?, change: self.schema_change()? },
            9 => Body::SetStatistics {
                collection: self.collection()?,
                index: self.small_number()?,
                histogram: Box::new(self.histogram()?),
            },
            _ => return Err(Error::corrupt("the kind of a command is unknown")),
        })
    }

    fn maintain(&mut self) -> Result<Maintain> {
        Ok(Maintain {
            forget_deleted_before: self.time()?,
            forget_requests_before: self.time()?,
            count_max: self.small_number()?,
            scope: match self.byte()? {
                0 => MaintainScope::Due,
                1 => MaintainScope::All,
                _ => return Err(Error::corrupt("the scope of maintenance is unknown")),
            },
        })
    }

    fn schema_change(&mut self) -> Result<SchemaChange> {
        Ok(match self.byte()? {
            0 => SchemaChange::Propose(self.operators()?),
            1 => SchemaChange::Confirm(self.number()?),
            2 => SchemaChange::Withdraw(self.number()?),
            3 => SchemaChange::Impose(self.option(Self::operators)?),
            _ => return Err(Error::corrupt("a change of a schema is unknown")),
        })
    }

    fn write(&mut self) -> Result<Write> {
        let checks = self.count(CHECK_BYTES_MIN)?;
        check_checks(checks)?;
        let checks = (0..checks).map(|_| self.check()).collect::<Result<_>>()?;
        let operations = self.count(OPERATION_BYTES_MIN)?;
        check_operations(operations)?;
        let operations = (0..operations).map(|_| self.operation()).collect::<Result<_>>()?;
        Ok(Write { checks, operations })
    }

    fn check(&mut self) -> Result<Check> {
        Ok(match self.byte()? {
            0 => Check::Document {
                collection: self.collection()?,
                id: self.id()?,
                version: self.number()?,
            },
            1 => Check::Collection { collection: self.collection()?, index: self.number()? },
            2 => Check::Query(Box::new(QueryCheck {
                collection: self.collection()?,
                index: self.number()?,
                filter: self.filter()?,
                sort: self.sort()?,
                offset: self.number()?,
                limit: self.option(Self::number)?,
                fingerprint: self.fingerprint()?,
            })),
            _ => return Err(Error::corrupt("a check is unknown")),
        })
    }

    fn operation(&mut self) -> Result<Operation> {
        Ok(Operation {
            collection: self.collection()?,
            id: self.id()?,
            condition: self.condition()?,
            action: self.action()?,
            expiry: self.expiry()?,
        })
    }

    fn condition(&mut self) -> Result<Condition> {
        Ok(match self.byte()? {
            0 => Condition::Always,
            1 => Condition::Absent,
            2 => Condition::Version(self.number()?),
            3 => Condition::Document(self.encoded()?),
            4 => {
                let fields = (0..self.count(FIELD_BYTES_MIN)?)
                    .map(|_| Ok((self.text()?.parse()?, self.option(Self::value)?)));
                Condition::Fields(fields.collect::<Result<_>>()?)
            }
            5 => Condition::Matches(Box::new(self.filter()?)),
            _ => return Err(Error::corrupt("a condition is unknown")),
        })
    }

    fn action(&mut self) -> Result<Action> {
        Ok(match self.byte()? {
            0 => Action::Insert(self.encoded()?),
            1 => Action::InsertNew(self.encoded()?),
            2 => Action::Replace(self.encoded()?),
            3 => Action::Upsert(self.encoded()?),
            4 => Action::Update(self.update()?),
            5 => Action::Delete,
            6 => Action::Complete(self.update()?),
            7 => Action::Renew(self.duration()?),
            8 => Action::Release,
            9 => Action::Compare,
            10 => Action::Settle(self.encoded()?, self.lease_change()?),
            11 => Action::Retry(self.update()?),
            12 => Action::Import(self.encoded()?, self.origin()?),
            _ => return Err(Error::corrupt("an action is unknown")),
        })
    }

    fn origin(&mut self) -> Result<Origin> {
        let (version, created, modified) = (self.number()?, self.time()?, self.time()?);
        let origin = Origin { version, created, modified, expires: self.option(Self::time)? };
        origin.check().map(|()| origin)
    }

    fn lease_change(&mut self) -> Result<LeaseChange> {
        Ok(match self.byte()? {
            0 => LeaseChange::End,
            1 => LeaseChange::Renew(self.duration()?),
            2 => LeaseChange::Begin(Box::new(self.begun_lease()?)),
            _ => return Err(Error::corrupt("a change of a lease is unknown")),
        })
    }

    fn begun_lease(&mut self) -> Result<BegunLease> {
        let lease = self.lease()?;
        let count = self.count(PATH_BYTES_MIN)?;
        check_set(count)?;
        let set = (0..count).map(|_| self.text()?.parse()).collect::<Result<_>>()?;
        Ok(BegunLease { lease, set, values: self.option(Self::fingerprint)? })
    }

    fn expiry(&mut self) -> Result<Expiry> {
        Ok(match self.byte()? {
            0 => Expiry::Keep,
            1 => Expiry::Never,
            2 => Expiry::At(self.time()?),
            3 => Expiry::After(self.duration()?),
            _ => return Err(Error::corrupt("an expiry is unknown")),
        })
    }

    fn modify(&mut self) -> Result<Modify> {
        Ok(Modify {
            collection: self.collection()?,
            filter: self.filter()?,
            candidates: self.option(|reader| {
                (0..reader.count(ID_BYTES_MIN)?).map(|_| reader.id()).collect::<Result<_>>()
            })?,
            sort: self.sort()?,
            limit: self.option(Self::small_number)?,
            action: self.action()?,
            expiry: self.expiry()?,
            lease: self.option(Self::lease)?,
            recall: match self.byte()? {
                0 => Recall::Count,
                1 => Recall::Versions,
                2 => Recall::Documents,
                _ => return Err(Error::corrupt("what is remembered of a request is unknown")),
            },
            skip: match self.byte()? {
                0 => Skip::Nothing,
                1 => Skip::Unfit,
                2 => Skip::UnfitAndLeased,
                _ => return Err(Error::corrupt("which documents are skipped is unknown")),
            },
        })
    }

    fn lease(&mut self) -> Result<Lease> {
        let (duration, mut bytes) = (self.duration()?, self.bytes()?);
        let release = Release::decode(&mut bytes)?;
        ensure(bytes.is_empty(), "the release of a lease has trailing bytes")?;
        Ok(Lease { duration, release })
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let split = self.rest.split_at_checked(length);
        let (taken, rest) = split.ok_or(Error::corrupt("a command is cut off"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH]> {
        let taken = self.take(LENGTH)?;
        Ok(taken.try_into().expect("that many bytes were taken"))
    }

    fn byte(&mut self) -> Result<u8> {
        self.array().map(|[byte]| byte)
    }

    /// A number in LEB128, which must not be longer than necessary.
    fn number(&mut self) -> Result<u64> {
        let before = self.rest;
        let number = decode_varint(&mut self.rest)
            .ok_or(Error::corrupt("a number is cut off or has more than 64 bits"))?;
        let read = &before[..before.len() - self.rest.len()];
        let is_shortest = read.len() == 1 || read.last() != Some(&0);
        ensure(is_shortest, "a number is longer than it needs to be")?;
        Ok(number)
    }

    fn small_number(&mut self) -> Result<u32> {
        u32::try_from(self.number()?).map_err(|_| Error::corrupt("a number has more than 32 bits"))
    }

    /// The length of a list, whose entries have at least this many bytes each.
    fn count(&mut self, entry_bytes_min: usize) -> Result<usize> {
        let count = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        let fits = count <= self.rest.len() / entry_bytes_min;
        ensure(fits, "a list has more entries than there are bytes for")?;
        Ok(count)
    }

    /// Bytes that are preceded by their length.
    fn bytes(&mut self) -> Result<&'a [u8]> {
        let length = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        self.take(length)
    }

    fn histogram(&mut self) -> Result<Histogram> {
        let mut bytes = self.bytes()?;
        let histogram = Histogram::take(&mut bytes).filter(|_| bytes.is_empty());
        histogram.ok_or(Error::corrupt("a histogram is malformed"))
    }

    fn text(&mut self) -> Result<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Error::corrupt("a text is not UTF-8"))
    }

    fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<Option<T>> {
        match self.byte()? {
            0 => Ok(None),
            1 => read(self).map(Some),
            _ => Err(Error::corrupt("the tag of an option is neither 0 nor 1")),
        }
    }

    fn time(&mut self) -> Result<Time> {
        Time::from_micros(i64::from_le_bytes(self.array()?))
            .map_err(|_| Error::corrupt("a time is outside of the years 0001 to 9999"))
    }

    fn duration(&mut self) -> Result<Duration> {
        let (seconds, nanoseconds) = (self.number()?, self.small_number()?);
        let is_part = nanoseconds < 1_000_000_000;
        ensure(is_part, "the nanoseconds of a duration are a second or more")?;
        Ok(Duration::new(seconds, nanoseconds))
    }

    fn fingerprint(&mut self) -> Result<u128> {
        self.array().map(u128::from_le_bytes)
    }

    fn floor(&mut self) -> Result<Option<Consistency>> {
        let Some(position) = usize::from(self.byte()?).checked_sub(1) else { return Ok(None) };
        let level = Consistency::ALL.get(position).copied();
        level.map(Some).ok_or(Error::corrupt("a consistency level is unknown"))
    }

    fn collection(&mut self) -> Result<CollectionName> {
        CollectionName::new(self.text()?)
    }

    fn id(&mut self) -> Result<DocumentId> {
        DocumentId::from_bytes(self.bytes()?)
    }

    fn index(&mut self) -> Result<IndexName> {
        IndexName::new(self.text()?)
    }

    fn encoded(&mut self) -> Result<Encoded> {
        RawObject::validate(self.bytes()?).map(RawObject::to_encoded)
    }

    fn value(&mut self) -> Result<Value> {
        RawValue::validate(self.bytes()?)?.to_value()
    }

    /// A value whose field names may begin with `$` or be paths.
    fn value_of_operators(&mut self) -> Result<Value> {
        RawValue::validate_names(self.bytes()?, Names::Operators)?.to_value()
    }

    fn operators(&mut self) -> Result<Object> {
        self.value_of_operators()?.try_into()
    }

    fn filter(&mut self) -> Result<Filter> {
        Filter::decode(self.bytes()?)
    }

    fn sort(&mut self) -> Result<Sort> {
        Sort::from_value(&self.value_of_operators()?)
    }

    fn update(&mut self) -> Result<Update> {
        Update::decode(self.bytes()?)
    }
}
