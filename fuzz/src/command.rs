//! Commands, made out of bytes.

use std::time::Duration;

use arbitrary::{Error, Result, Unstructured};
use velocitydb_core::{
    Action, BegunLease, Body, Check, CollectionName, Command, Condition, DocumentId, Encoded,
    Expiry, Filter, IndexSpec, Lease, LeaseChange, Modify, Operation, Origin, QueryCheck, Recall,
    Release, Request, RequestId, SchemaChange, Skip, Sort, Time, Update, Write, limits,
};

use crate::input;

/// A command of one of the kinds that have parts of any size.
pub fn command(input: &mut Unstructured<'_>) -> Result<Command> {
    let request = match input.arbitrary()? {
        true => Some(Request {
            id: RequestId::new(input.arbitrary()?).map_err(refused)?,
            fingerprint: input.arbitrary()?,
        }),
        false => None,
    };
    Ok(Command { now: time(input)?, request, body: body(input)? })
}

fn body(input: &mut Unstructured<'_>) -> Result<Body> {
    Ok(match input.int_in_range(0..=5)? {
        0..=1 => {
            let checks = input.int_in_range(0..=2)?;
            let checks = (0..checks).map(|_| check(input)).collect::<Result<_>>()?;
            let operations = input.int_in_range(0..=3)?;
            let operations = (0..operations).map(|_| operation(input)).collect::<Result<_>>()?;
            Body::Write(Write { checks, operations })
        }
        2..=3 => Body::Modify(Box::new(modify(input)?)),
        4 => {
            let mut spec = IndexSpec::new(sort(input)?);
            if input.arbitrary()? {
                spec = spec.unique();
            }
            if input.arbitrary()? {
                spec = spec.partial(filter(input)?);
            }
            Body::CreateIndex { collection: collection(input)?, spec: Box::new(spec) }
        }
        _ => {
            let change = SchemaChange::Propose(input::object(input)?);
            Body::SetSchema { collection: collection(input)?, change }
        }
    })
}

fn check(input: &mut Unstructured<'_>) -> Result<Check> {
    let (collection, index) = (collection(input)?, input.arbitrary()?);
    Ok(match input.int_in_range(0..=2)? {
        0 => Check::Document { collection, id: id(input)?, version: index },
        1 => Check::Collection { collection, index },
        _ => Check::Query(Box::new(QueryCheck {
            collection,
            index,
            filter: filter(input)?,
            sort: sort(input)?,
            offset: input.arbitrary()?,
            limit: input.arbitrary()?,
            fingerprint: input.arbitrary()?,
        })),
    })
}

fn operation(input: &mut Unstructured<'_>) -> Result<Operation> {
    Ok(Operation {
        collection: collection(input)?,
        id: id(input)?,
        condition: match input.int_in_range(0..=5)? {
            0 => Condition::Always,
            1 => Condition::Absent,
            2 => Condition::Version(input.arbitrary()?),
            3 => Condition::Document(fields(input)?),
            4 => {
                let path = input.choose(&["a", "a.0", "b.c"])?.parse().map_err(refused)?;
                let value = if input.arbitrary()? { Some(input::value(input)?) } else { None };
                Condition::Fields(vec![(path, value)])
            }
            _ => Condition::Matches(Box::new(filter(input)?)),
        },
        action: action(input)?,
        expiry: expiry(input)?,
    })
}

fn action(input: &mut Unstructured<'_>) -> Result<Action> {
    Ok(match input.int_in_range(0..=13)? {
        0 => Action::Insert(fields(input)?),
        1 => Action::InsertNew(fields(input)?),
        2 => Action::Replace(fields(input)?),
        3 => Action::Upsert(fields(input)?),
        4..=5 => Action::Update(update(input)?),
        6 => Action::Delete,
        7 => Action::Complete(update(input)?),
        8 => Action::Renew(duration(input)?),
        9 => Action::Release,
        10 => Action::Compare,
        11 => Action::Retry(update(input)?),
        12 => Action::Import(
            fields(input)?,
            Origin {
                version: input.int_in_range(1..=limits::IMPORTED_VERSION_MAX)?,
                created: time(input)?,
                modified: time(input)?,
                expires: if input.arbitrary()? { Some(time(input)?) } else { None },
            },
        ),
        _ => {
            let change = match input.int_in_range(0..=2)? {
                0 => LeaseChange::End,
                1 => LeaseChange::Renew(duration(input)?),
                _ => LeaseChange::Begin(Box::new(BegunLease {
                    lease: lease(input)?,
                    set: vec![input.choose(&["a", "a.0", "b.c"])?.parse().map_err(refused)?],
                    values: input.arbitrary()?,
                })),
            };
            Action::Settle(fields(input)?, change)
        }
    })
}

fn expiry(input: &mut Unstructured<'_>) -> Result<Expiry> {
    Ok(match input.int_in_range(0..=3)? {
        0 => Expiry::Keep,
        1 => Expiry::Never,
        2 => Expiry::At(time(input)?),
        _ => Expiry::After(duration(input)?),
    })
}

fn modify(input: &mut Unstructured<'_>) -> Result<Modify> {
    let candidates = match input.arbitrary()? {
        true => {
            let count = input.int_in_range(0..=3)?;
            Some((0..count).map(|_| id(input)).collect::<Result<_>>()?)
        }
        false => None,
    };
    let lease = if input.arbitrary()? { Some(lease(input)?) } else { None };
    Ok(Modify {
        collection: collection(input)?,
        filter: filter(input)?,
        candidates,
        sort: sort(input)?,
        limit: input.arbitrary()?,
        action: action(input)?,
        expiry: expiry(input)?,
        lease,
        recall: *input.choose(&[Recall::Count, Recall::Versions, Recall::Documents])?,
        skip: *input.choose(&[Skip::Nothing, Skip::Unfit, Skip::UnfitAndLeased])?,
    })
}

fn lease(input: &mut Unstructured<'_>) -> Result<Lease> {
    let release = Release::when(filter(input)?, update(input)?).or(update(input)?);
    Ok(Lease { duration: duration(input)?, release })
}

fn collection(input: &mut Unstructured<'_>) -> Result<CollectionName> {
    CollectionName::new(*input.choose(&["a", "docs", "a.b"])?).map_err(refused)
}

fn id(input: &mut Unstructured<'_>) -> Result<DocumentId> {
    if input.arbitrary()? {
        return DocumentId::new(*input.choose(&["a", "é", "0/1"])?).map_err(refused);
    }
    // What cannot be an id makes nothing.
    DocumentId::new(input::value(input)?).map_err(refused)
}

fn fields(input: &mut Unstructured<'_>) -> Result<Encoded> {
    Encoded::from_object(&input::object(input)?).map_err(refused)
}

/// The filter that a document is; operators come by damage.
fn filter(input: &mut Unstructured<'_>) -> Result<Filter> {
    let filter = Filter::from_object(input::object(input)?).map_err(refused)?;
    Ok(if input.arbitrary()? { !filter } else { filter })
}

fn sort(input: &mut Unstructured<'_>) -> Result<Sort> {
    let path = *input.choose(&["a", "b.0", "c"])?;
    let sort = if input.arbitrary()? { Sort::new().ascending(path) } else { Sort::new() };
    Ok(if input.arbitrary()? { sort.descending("d") } else { sort })
}

fn update(input: &mut Unstructured<'_>) -> Result<Update> {
    Update::from_object(input::update(input)?).map_err(refused)
}

fn time(input: &mut Unstructured<'_>) -> Result<Time> {
    let range = Time::MIN.as_micros()..=Time::MAX.as_micros();
    Time::from_micros(input.int_in_range(range)?).map_err(refused)
}

fn duration(input: &mut Unstructured<'_>) -> Result<Duration> {
    Ok(Duration::new(input.arbitrary()?, input.int_in_range(0..=999_999_999)?))
}

/// These bytes make nothing that is valid.
fn refused(_: velocitydb_core::Error) -> Error {
    Error::IncorrectFormat
}
