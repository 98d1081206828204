//! Random commands survive their bytes, and damaged bytes are an error or another command.

use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use velocitydb_core::{
    Action, BegunLease, Body, Check, CollectionName, Command, Condition, DocumentId, Encoded,
    Expiry, Filter, IndexSpec, Lease, LeaseChange, Modify, Object, Operation, Origin, Path,
    QueryCheck, Recall, Release, Request, RequestId, SchemaChange, Skip, Sort, Time, Update, Value,
    object, value,
};

use crate::queries;
use crate::random::{check, number, object, value as any_value};

fn time() -> impl Strategy<Value = Time> {
    (Time::MIN.as_micros()..=Time::MAX.as_micros())
        .prop_map(|micros| Time::from_micros(micros).unwrap())
}

fn duration() -> impl Strategy<Value = Duration> {
    (any::<u64>(), 0_u32..1_000_000_000).prop_map(|(seconds, part)| Duration::new(seconds, part))
}

fn collection() -> impl Strategy<Value = CollectionName> {
    "[a-z0-9][a-z0-9_.-]{0,9}".prop_map(|name| CollectionName::new(name).unwrap())
}

fn id() -> impl Strategy<Value = DocumentId> {
    "[ -~é🚀]{1,9}".prop_map(|id| DocumentId::new(id).unwrap())
}

fn path() -> impl Strategy<Value = Path> {
    prop_oneof![
        select(&["a", "b.0", "a.b.c", "0", r"v1\.2", "é"][..])
            .prop_map(|path| path.parse().unwrap()),
        r"[ -#%-~.\\]{1,9}".prop_map(|name| Path::field(&name).unwrap()),
        // The longest names of fields, of which each character takes two in a path.
        (500_usize..=1024).prop_map(|length| Path::field(&".".repeat(length)).unwrap()),
    ]
}

fn fields() -> impl Strategy<Value = Encoded> {
    object().prop_map(|object| Encoded::from_object(&object).unwrap())
}

/// A filter as users write it, or one that was built from it.
fn filter() -> impl Strategy<Value = Filter> {
    let given = || queries::filter().prop_map(|filter| Filter::from_object(filter).unwrap());
    prop_oneof![
        4 => given(),
        1 => given().prop_map(|filter| !filter),
        1 => (given(), given()).prop_map(|(one, other)| one.and(other)),
        1 => (given(), given()).prop_map(|(one, other)| one.or(other)),
        1 => (given(), given()).prop_map(|(one, other)| {
            velocitydb_core::field("list").elem_match(one).and(!other)
        }),
    ]
}

fn sort() -> impl Strategy<Value = Sort> {
    vec((path(), any::<bool>()), 0..4).prop_map(|keys| {
        keys.into_iter().fold(Sort::new(), |sort, (path, is_ascending)| {
            let path = path.to_string();
            let with = |sort: Sort| match is_ascending {
                true => sort.ascending(&path),
                false => sort.descending(&path),
            };
            Some(with(sort.clone())).filter(|with| with.check().is_ok()).unwrap_or(sort)
        })
    })
}

/// An operator with its operand.
fn operator() -> impl Strategy<Value = (&'static str, Value)> {
    let integer = || option::of(-5_i64..5);
    let push = (vec(any_value(), 0..3), integer(), integer(), 0..4).prop_map(
        |(values, position, slice, sorted)| {
            let mut push = object! { "$each": values };
            push.extend(position.map(|position| ("$position", position)));
            push.extend(slice.map(|slice| ("$slice", slice)));
            match sorted {
                0 => {}
                1 => drop(push.insert("$sort", -1)),
                2 => drop(push.insert("$sort", value!({ "a.b": 1 }))),
                _ => drop(push.insert("$sort", value!([{ "b": 1 }, { "a": -1 }]))),
            }
            ("$push", push.into())
        },
    );
    prop_oneof![
        (select(&["$set", "$min", "$max"][..]), any_value()),
        (select(&["$inc", "$mul"][..]), number()),
        select(&["$unset", "$currentDate"][..]).prop_map(|operator| (operator, true.into())),
        push,
        queries::filter().prop_map(|filter| ("$pull", filter.into())),
        vec(any_value(), 0..3).prop_map(|values| ("$pullAll", values.into())),
        vec(any_value(), 0..3).prop_map(|values| ("$addToSet", value!({ "$each": values }))),
        select(&[-1, 1][..]).prop_map(|end| ("$pop", end.into())),
        path().prop_map(|to| ("$rename", format!("new.{to}").into())),
    ]
}

fn update() -> impl Strategy<Value = Update> {
    let merge = object().prop_map(|object| {
        let fields = object.into_iter().filter(|(name, _)| !name.is_empty() && name.len() < 100);
        Update::merge(fields.collect())
    });
    let operators = vec(operator(), 0..4).prop_map(|operators| {
        let mut update = Object::new();
        for (at, (operator, operand)) in operators.into_iter().enumerate() {
            let paths = update.get_or_insert_with(operator, || Object::new().into());
            // No two places of one update overlap.
            paths.as_object_mut().unwrap().insert(format!("p{at}.x"), operand);
        }
        Update::from_object(update)
    });
    let operators = operators.prop_filter_map("two renames may meet", Result::ok);
    prop_oneof![merge, operators].prop_filter("it is valid", |update| update.check().is_ok())
}

fn condition() -> impl Strategy<Value = Condition> {
    prop_oneof![
        Just(Condition::Always),
        Just(Condition::Absent),
        any::<u64>().prop_map(Condition::Version),
        fields().prop_map(Condition::Document),
        vec((path(), option::of(any_value())), 0..4).prop_map(Condition::Fields),
        filter().prop_map(|filter| Condition::Matches(Box::new(filter))),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    let begun =
        (lease(), vec(path(), 0..4), any::<Option<u128>>()).prop_map(|(lease, set, values)| {
            LeaseChange::Begin(Box::new(BegunLease { lease, set, values }))
        });
    let change =
        prop_oneof![Just(LeaseChange::End), duration().prop_map(LeaseChange::Renew), begun,];
    prop_oneof![
        fields().prop_map(Action::Insert),
        fields().prop_map(Action::InsertNew),
        (fields(), 1..=velocitydb_core::limits::IMPORTED_VERSION_MAX, time(), any::<bool>())
            .prop_map(|(fields, version, created, expires)| {
                let expires = expires.then_some(Time::MAX);
                Action::Import(fields, Origin { version, created, modified: Time::MIN, expires })
            }),
        fields().prop_map(Action::Replace),
        fields().prop_map(Action::Upsert),
        update().prop_map(Action::Update),
        Just(Action::Delete),
        update().prop_map(Action::Complete),
        duration().prop_map(Action::Renew),
        Just(Action::Release),
        update().prop_map(Action::Retry),
        (fields(), change).prop_map(|(fields, change)| Action::Settle(fields, change)),
        Just(Action::Compare),
    ]
}

fn expiry() -> impl Strategy<Value = Expiry> {
    prop_oneof![
        Just(Expiry::Keep),
        Just(Expiry::Never),
        time().prop_map(Expiry::At),
        duration().prop_map(Expiry::After),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    (collection(), id(), condition(), action(), expiry()).prop_map(
        |(collection, id, condition, action, expiry)| Operation {
            collection,
            id,
            condition,
            action,
            expiry,
        },
    )
}

fn read() -> impl Strategy<Value = Check> {
    let query = (
        (collection(), any::<u64>(), filter(), sort()),
        (any::<u64>(), option::of(any::<u64>()), any::<u128>()),
    );
    prop_oneof![
        (collection(), id(), any::<u64>()).prop_map(|(collection, id, version)| Check::Document {
            collection,
            id,
            version
        }),
        (collection(), any::<u64>())
            .prop_map(|(collection, index)| Check::Collection { collection, index }),
        query.prop_map(|((collection, index, filter, sort), (offset, limit, fingerprint))| {
            let check = QueryCheck { collection, index, filter, sort, offset, limit, fingerprint };
            Check::Query(Box::new(check))
        }),
    ]
}

fn lease() -> impl Strategy<Value = Lease> {
    let release = (update(), option::of((filter(), update()))).prop_map(|(first, second)| {
        let release = Release::new(first);
        match second {
            Some((filter, update)) => release.or_when(filter, update),
            None => release,
        }
    });
    (duration(), release).prop_map(|(duration, release)| Lease { duration, release })
}

fn modify() -> impl Strategy<Value = Modify> {
    let found = (collection(), filter(), option::of(vec(id(), 0..4)), sort(), any::<Option<u32>>());
    let how = (
        select(&[Recall::Count, Recall::Versions, Recall::Documents][..]),
        select(&[Skip::Nothing, Skip::Unfit, Skip::UnfitAndLeased][..]),
    );
    (found, action(), expiry(), option::of(lease()), how).prop_map(
        |(found, action, expiry, lease, (recall, skip))| {
            let (collection, filter, candidates, sort, limit) = found;
            Modify {
                collection,
                filter,
                candidates,
                sort,
                limit,
                action,
                expiry,
                lease,
                recall,
                skip,
            }
        },
    )
}

fn body() -> impl Strategy<Value = Body> {
    let index =
        (sort(), any::<bool>(), option::of(filter())).prop_map(|(sort, is_unique, partial)| {
            let spec = IndexSpec::new(sort).named("index");
            let spec = if is_unique { spec.unique() } else { spec.sparse() };
            match partial {
                Some(filter) => spec.partial(filter),
                None => spec,
            }
        });
    let index = index.prop_filter("it is valid", |spec| spec.check().is_ok());
    prop_oneof![
        4 => (vec(read(), 0..3), vec(operation(), 0..4)).prop_map(|(checks, operations)| {
            Body::Write(velocitydb_core::Write { checks, operations: operations.into() })
        }),
        4 => modify().prop_map(|modify| Body::Modify(Box::new(modify))),
        1 => (collection(), index)
            .prop_map(|(collection, spec)| Body::CreateIndex { collection, spec: Box::new(spec) }),
        1 => (collection(), option::of(object())).prop_map(|(collection, schema)| {
            Body::SetSchema { collection, change: SchemaChange::Impose(schema) }
        }),
        1 => collection().prop_map(|name| Body::DropCollection { name }),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    let request = (".{1,20}", any::<u128>())
        .prop_map(|(id, fingerprint)| Request { id: RequestId::new(&id).unwrap(), fingerprint });
    (time(), option::of(request), body()).prop_map(|(now, request, body)| Command {
        now,
        request,
        body,
    })
}

fn encoded(command: &Command) -> Vec<u8> {
    let mut bytes = Vec::new();
    command.encode_into(&mut bytes).unwrap();
    bytes
}

#[test]
fn commands_survive_their_bytes() {
    check(command(), |command| {
        let bytes = encoded(&command);
        let decoded = match Command::decode(&bytes) {
            Ok(decoded) => decoded,
            Err(error) => return Err(TestCaseError::fail(format!("{error}"))),
        };
        prop_assert_eq!(encoded(&decoded), bytes);
        prop_assert_eq!(decoded.body.fingerprint(), command.body.fingerprint());
        prop_assert_eq!(decoded, command);
        Ok(())
    });
}

/// What is checked before a command is proposed is never less than what is written then.
#[test]
fn the_length_of_a_command_is_bounded_without_encoding_it() {
    check(command(), |command| {
        let (length, max) = (encoded(&command).len(), command.encoded_length_max().unwrap());
        prop_assert!(length <= max && max <= 16 * length, "{} bytes, at most {}", length, max);
        Ok(())
    });
}

#[test]
fn damaged_commands_are_an_error_or_another_command() {
    let damage = vec((any::<prop::sample::Index>(), any::<u8>()), 1..4);
    check((command(), damage, any::<prop::sample::Index>()), |(command, damage, end)| {
        let mut bytes = encoded(&command);
        prop_assert!(Command::decode(&bytes[..end.index(bytes.len())]).is_err());
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(command) = Command::decode(&bytes) {
            prop_assert_eq!(encoded(&command), bytes);
        }
        Ok(())
    });
}

#[test]
fn random_bytes_are_never_more_than_an_error() {
    let bytes = vec(prop_oneof![0_u8..16, any::<u8>()], 0..80);
    check(bytes, |bytes| {
        let bytes = [&[velocitydb_core::command::COMMAND_VERSION][..], &[0; 8], &bytes].concat();
        if let Ok(command) = Command::decode(&bytes) {
            prop_assert_eq!(encoded(&command), bytes);
        }
        Ok(())
    });
}
