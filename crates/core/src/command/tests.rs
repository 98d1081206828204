//! One command of each kind, for the tests of the encoding; and decoding them, intact and damaged.

use std::collections::BTreeSet;
use std::time::Duration;

use smallvec::smallvec;

use super::*;
use crate::limits::{COMMAND_BYTES_MAX, COMMAND_OPERATIONS_MAX, UPDATE_OPERATIONS_MAX};
use crate::{field, object};

fn docs() -> CollectionName {
    "docs".try_into().unwrap()
}

fn fields() -> Encoded {
    Encoded::from_object(&object! { "n": 1 }).unwrap()
}

fn operation(condition: Condition, action: Action, expiry: Expiry) -> Operation {
    Operation { collection: docs(), id: "a".try_into().unwrap(), condition, action, expiry }
}

fn write(operation: Operation) -> Body {
    Body::Write(Write { checks: Vec::new(), operations: smallvec![operation] })
}

/// The insert of a document, or another action with its fields.
pub(super) fn insert(id: &str, action: fn(Encoded) -> Action) -> Body {
    let id = id.try_into().unwrap();
    write(Operation { id, ..operation(Condition::Always, action(fields()), Expiry::Keep) })
}

fn begin(set: &[&str], values: Option<u128>) -> LeaseChange {
    let release = Release::when(field("n").lt(3), object! { "a": 1 }).or(Update::new().inc("n", 1));
    let lease = Lease { duration: Duration::from_secs(30), release };
    let set = set.iter().map(|path| path.parse().unwrap()).collect();
    LeaseChange::Begin(Box::new(BegunLease { lease, set, values }))
}

fn modify() -> Modify {
    Modify {
        collection: docs(),
        filter: object! { "n": { "$gte": 1 } }.into(),
        candidates: Some(vec!["a".try_into().unwrap()]),
        sort: Sort::new().ascending("n").descending("m"),
        limit: Some(3),
        action: Action::Complete(Update::new().inc("n", 1).push("list", "x")),
        expiry: Expiry::After(Duration::from_millis(1)),
        lease: Some(Lease {
            duration: Duration::from_nanos(1),
            release: Update::new().rename("a", "b").pull_where("l", object! { "x": 1 }).into(),
        }),
        recall: Recall::Versions,
        skip: Skip::Unfit,
    }
}

fn origin(version: u64, expires: Option<Time>) -> Origin {
    Origin { version, created: Time::UNIX_EPOCH, modified: Time::MIN, expires }
}

/// Different bodies, with every variant of every type that is part of a command.
pub(super) fn bodies() -> Vec<Body> {
    let mut bodies = vec![
        insert("a", Action::Insert),
        insert("b", Action::Insert),
        insert("a", Action::InsertNew),
        insert("a", |fields| Action::Import(fields, origin(1, None))),
        insert("a", |fields| Action::Import(fields, origin(7, Some(Time::MAX)))),
        insert("a", Action::Replace),
        insert("a", Action::Upsert),
        insert("a", |fields| Action::Settle(fields, LeaseChange::End)),
        insert("a", |fields| Action::Settle(fields, LeaseChange::Renew(Duration::ZERO))),
        insert("a", |fields| Action::Settle(fields, begin(&["n", r"a.v1\.2"], None))),
        insert("a", |fields| Action::Settle(fields, begin(&["n"], None))),
        insert("a", |fields| Action::Settle(fields, begin(&["n"], Some(1)))),
        insert("a", |fields| Action::Settle(fields, begin(&[], Some(u128::MAX)))),
    ];
    bodies.extend(writes());
    bodies.extend(of_collections());
    bodies.extend(modifications());
    bodies
}

fn writes() -> impl Iterator<Item = Body> {
    let path = |text: &str| text.parse().unwrap();
    let pairs = vec![(path(r"a.0.v1\.2"), Some(1.5.into())), (path("b"), None)];
    let update = || Update::new().set("n", object! { "a": [1, null] }).unset("m");
    let conditions = [
        Condition::Absent,
        Condition::Version(300),
        Condition::Document(fields()),
        Condition::Fields(pairs),
        Condition::Fields(Vec::new()),
        Condition::Matches(Box::new(field("n").gt(1).or(field("m").matches_with("^a", "i")))),
    ];
    let conditions = conditions.map(|one| operation(one, Action::Compare, Expiry::Keep));
    let actions = [
        Action::Compare,
        Action::Delete,
        Action::Release,
        Action::Update(update()),
        Action::Complete(update()),
        Action::Retry(update()),
        Action::Renew(Duration::new(7, 999_999_999)),
    ];
    let actions = actions.map(|one| operation(Condition::Always, one, Expiry::Keep));
    let expiries = [Expiry::Never, Expiry::At(Time::MAX), Expiry::After(Duration::MAX)];
    let expiries = expiries.map(|one| operation(Condition::Always, Action::Delete, one));
    let version = Check::Document { collection: docs(), id: "a".try_into().unwrap(), version: 0 };
    let query = |limit| QueryCheck {
        collection: docs(),
        index: u64::MAX,
        filter: Filter::all(),
        sort: Sort::new().descending("n"),
        offset: 128,
        limit,
        fingerprint: u128::MAX - 1,
    };
    let checks = [
        version,
        Check::Collection { collection: docs(), index: 1 },
        Check::Query(Box::new(query(None))),
        Check::Query(Box::new(query(Some(0)))),
    ];
    let checks = checks.map(|check| Write { checks: vec![check], ..Write::default() });
    let several = Write {
        checks: checks.iter().flat_map(|write| write.checks.clone()).collect(),
        operations: conditions.iter().cloned().collect(),
    };
    let operations = conditions.into_iter().chain(actions).chain(expiries).map(write);
    operations.chain(checks.into_iter().chain([several, Write::default()]).map(Body::Write))
}

fn of_collections() -> impl Iterator<Item = Body> {
    let name = || IndexName::new("n_1").unwrap();
    let created = |options| Body::CreateCollection { name: docs(), options };
    let floors = Consistency::ALL.into_iter().flat_map(|level| {
        let none = CollectionOptions::default();
        [
            CollectionOptions { min_write: Some(level), ..none },
            CollectionOptions { min_read: Some(level), ..none },
        ]
    });
    let floors: Vec<_> = floors.chain([CollectionOptions::default()]).map(created).collect();
    let specs = [
        IndexSpec::on("n"),
        IndexSpec::on("n").unique(),
        IndexSpec::new(Sort::new().ascending("a.b").descending("c"))
            .named("name")
            .sparse()
            .partial(object! { "state": "waiting" }),
    ];
    let indexes = specs.map(|spec| Body::CreateIndex { collection: docs(), spec: Box::new(spec) });
    let changes = [
        SchemaChange::Impose(None),
        SchemaChange::Impose(Some(object! { "$id": "x" })),
        SchemaChange::Propose(object! { "$id": "x" }),
        SchemaChange::Confirm(1),
        SchemaChange::Withdraw(1),
    ];
    let changes = changes.map(|change| Body::SetSchema { collection: docs(), change });
    let maintain = [MaintainScope::Due, MaintainScope::All].map(|scope| {
        Body::Maintain(Maintain {
            forget_deleted_before: Time::MIN,
            forget_requests_before: Time::MAX,
            count_max: u32::MAX,
            scope,
        })
    });
    let others = [
        Body::DropCollection { name: docs() },
        Body::BuildIndex { collection: docs(), name: name(), count_max: 0 },
        Body::DropIndex { collection: docs(), name: name() },
        Body::SetStatistics {
            collection: docs(),
            index: 300,
            histogram: Box::new(Histogram::new(9, [&b"a"[..], b"ab", b"b"]).unwrap()),
        },
    ];
    floors.into_iter().chain(indexes).chain(changes).chain(maintain).chain(others)
}

fn modifications() -> impl Iterator<Item = Body> {
    let changes: [fn(&mut Modify); 15] = [
        |_| {},
        |modify| modify.filter = object! { "n": { "$gte": 1.0 } }.into(),
        |modify| modify.candidates = None,
        |modify| modify.candidates = Some(Vec::new()),
        |modify| modify.sort = Sort::new().ascending("n").ascending("m"),
        |modify| modify.limit = None,
        |modify| modify.action = Action::Update(Update::new().inc("n", 1)),
        |modify| modify.action = Action::Renew(Duration::from_secs(1)),
        |modify| modify.expiry = Expiry::Never,
        |modify| modify.lease = None,
        |modify| {
            let release = Release::when(field("n").lt(3), object! { "a": 1 });
            let release = release.or(Update::new().inc("n", 1));
            modify.lease = Some(Lease { duration: Duration::ZERO, release });
        },
        |modify| modify.recall = Recall::Count,
        |modify| modify.recall = Recall::Documents,
        |modify| modify.skip = Skip::Nothing,
        |modify| modify.skip = Skip::UnfitAndLeased,
    ];
    changes.into_iter().map(|change| {
        let mut modify = modify();
        change(&mut modify);
        Body::Modify(Box::new(modify))
    })
}

fn command(body: Body) -> Command {
    let id = RequestId::new("r").unwrap();
    let request = Some(Request { fingerprint: body.fingerprint().unwrap(), id });
    Command { now: Time::UNIX_EPOCH, request, body }
}

/// The bytes of the command with this body.
pub(super) fn encoded(body: Body) -> Vec<u8> {
    let command = command(body);
    let mut bytes = Vec::new();
    command.encode_into(&mut bytes).unwrap();
    let length = command.encoded_length_max().unwrap();
    assert!(bytes.len() <= length && length <= bytes.len() + 1_000, "{length}");
    assert_eq!(bytes[0], COMMAND_VERSION);
    bytes
}

/// Records which variant a value is, by a match that the compiler keeps exhaustive. Comparing the two sets
/// shows which variants never occur.
macro_rules! note {
    ($seen:expr, $value:expr, $type:ident { $($variant:pat),+ $(,)? }) => {{
        const ALL: &[&str] = &[$(concat!(stringify!($type), "::", stringify!($variant))),+];
        $seen.all.extend(ALL);
        #[allow(unused_imports)]
        use $type::*;
        $seen.noted.insert(match $value {
            $($variant => concat!(stringify!($type), "::", stringify!($variant)),)+
        });
    }};
}

#[derive(Default)]
struct Seen {
    all: BTreeSet<&'static str>,
    noted: BTreeSet<&'static str>,
}

impl Seen {
    fn body(&mut self, body: &Body) {
        note!(self, body, Body {
            Write(_), CreateCollection { .. }, DropCollection { .. }, Maintain(_), Modify(_),
            CreateIndex { .. }, BuildIndex { .. }, DropIndex { .. }, SetSchema { .. },
            SetStatistics { .. },
        });
        match body {
            Body::Write(write) => {
                write.checks.iter().for_each(|check| {
                    note!(self, check, Check { Document { .. }, Collection { .. }, Query(_) });
                });
                write.operations.iter().for_each(|operation| self.operation(operation));
            }
            Body::Maintain(maintain) => note!(self, maintain.scope, MaintainScope { Due, All }),
            Body::Modify(modify) => {
                note!(self, modify.recall, Recall { Count, Versions, Documents });
                note!(self, modify.skip, Skip { Nothing, Unfit, UnfitAndLeased });
            }
            Body::SetSchema { change, .. } => {
                note!(self, change, SchemaChange { Propose(_), Confirm(_), Withdraw(_), Impose(_) });
            }
            _ => {}
        }
    }

    fn operation(&mut self, operation: &Operation) {
        note!(self, operation.condition, Condition {
            Always, Absent, Version(_), Document(_), Fields(_), Matches(_),
        });
        note!(self, operation.action, Action {
            Insert(_), InsertNew(_), Import(..), Replace(_), Upsert(_), Update(_), Delete, Complete(_),
            Renew(_), Release, Retry(_), Settle(..), Compare,
        });
        note!(self, operation.expiry, Expiry { Keep, Never, At(_), After(_) });
        if let Action::Settle(_, change) = &operation.action {
            note!(self, change, LeaseChange { End, Renew(_), Begin(_) });
        }
    }
}

#[test]
fn every_kind_of_command_comes_back() {
    let mut seen = Seen::default();
    for body in bodies() {
        seen.body(&body);
        let command = command(body);
        let bytes = encoded(command.body.clone());
        let decoded =
            Command::decode(&bytes).unwrap_or_else(|error| panic!("{command:?}: {error}"));
        assert_eq!(decoded, command);
        let without_request = Command { request: None, now: Time::MIN, ..command };
        let mut bytes = Vec::new();
        without_request.encode_into(&mut bytes).unwrap();
        assert_eq!(Command::decode(&bytes), Ok(without_request));
    }
    assert_eq!(seen.noted, seen.all, "a variant is not among the bodies");
}

#[test]
fn every_truncation_and_every_byte_behind_is_an_error() {
    for body in bodies() {
        let mut bytes = encoded(body);
        for length in 0..bytes.len() {
            let error = Command::decode(&bytes[..length]).unwrap_err();
            assert!(matches!(error, Error::Corrupt { .. }), "{length}: {error}");
        }
        bytes.push(0);
        assert!(matches!(Command::decode(&bytes), Err(Error::Corrupt { .. })));
    }
}

#[test]
fn every_changed_byte_is_an_error_or_another_command() {
    for body in bodies() {
        let mut bytes = encoded(body);
        let command = Command::decode(&bytes).unwrap();
        for at in 0..bytes.len() {
            let before = bytes[at];
            for bits in (0..8).map(|bit| 1 << bit).chain([u8::MAX]) {
                bytes[at] = before ^ bits;
                if let Ok(other) = Command::decode(&bytes) {
                    assert_ne!(other, command);
                    let mut again = Vec::new();
                    other.encode_into(&mut again).unwrap();
                    assert_eq!(again, bytes, "{other:?}");
                }
            }
            bytes[at] = before;
        }
    }
}

#[test]
fn another_version_is_named() {
    let mut bytes = encoded(bodies().remove(0));
    for found in [0, COMMAND_VERSION + 1, u8::MAX] {
        bytes[0] = found;
        let error = Command::decode(&bytes).unwrap_err();
        assert_eq!(
            error,
            Error::UnknownVersion { what: "a command".into(), found, known: COMMAND_VERSION }
        );
        let text = format!("in version {found}, and only version {COMMAND_VERSION} is known");
        assert!(error.to_string().contains(&text), "{error}");
    }
}

/// The bytes before a body: version, a time, no request.
fn with_body(body: &[&[u8]]) -> Vec<u8> {
    [&[COMMAND_VERSION, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &body.concat()].concat()
}

fn problem(body: &[&[u8]]) -> String {
    Command::decode(&with_body(body)).unwrap_err().to_string()
}

#[test]
fn numbers_have_one_form() {
    let dropped = |length: &[u8]| with_body(&[&[2], length, b"docs"]);
    Command::decode(&dropped(&[4])).unwrap();
    for long in [&[0x84, 0][..], &[0x84, 0x80, 0]] {
        let error = Command::decode(&dropped(long)).unwrap_err().to_string();
        assert!(error.contains("longer than it needs to be"), "{error}");
    }
    let large = [&[0x84][..], &[0x80; 8], &[2]].concat();
    let error = Command::decode(&dropped(&large)).unwrap_err().to_string();
    assert!(error.contains("more than 64 bits"), "{error}");
    let renew = |parts: &[u8]| problem(&[b"\0\0\x01\x01c\x01a\0\x07", parts, b"\0"]);
    assert!(renew(&[0, 0x80, 0x94, 0xeb, 0xdc, 3]).contains("a second or more"));
    assert!(renew(&[0, 0x80, 0x80, 0x80, 0x80, 0x10]).contains("more than 32 bits"));
}

/// Lengths and counts that exceed the input must be detected before memory is reserved.
#[test]
fn lengths_and_counts_stay_within_the_bytes() {
    const HUGE: &[u8] = &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    let padding = [0; 40];
    assert!(problem(&[&[2], HUGE, &padding]).contains("cut off"));
    assert!(problem(&[&[0], HUGE, &padding]).contains("more entries"));
    assert!(problem(&[&[0, 0], HUGE, &padding]).contains("more entries"));
    assert!(problem(&[&[0, 0, 6], &padding]).contains("more entries"));
    let fields = [b"\0\0\x01\x01c\x01a\x04", HUGE].concat();
    assert!(problem(&[&fields, &padding]).contains("more entries"));
}

#[test]
fn limits_hold_for_what_is_read() {
    let many = COMMAND_OPERATIONS_MAX + 1;
    let mut count = Vec::new();
    crate::encode_varint(many as u64, &mut count);
    let operations = b"\x01c\x01a\0\x05\0".repeat(many);
    assert!(problem(&[&[0, 0], &count, &operations]).contains("at most 10000"));
    let error = Command::decode(&vec![COMMAND_VERSION; COMMAND_BYTES_MAX + 1]).unwrap_err();
    assert!(matches!(error, Error::LimitExceeded { max: COMMAND_BYTES_MAX, .. }), "{error}");
    assert!(problem(&[b"\x02\x07_system"]).contains("belong to the database"));
    let mut count = Vec::new();
    crate::encode_varint(UPDATE_OPERATIONS_MAX as u64 + 1, &mut count);
    // Empty fields, a lease of no duration and without a release, and more paths than a claim can set.
    let paths = [&count[..], &b"\x01a".repeat(UPDATE_OPERATIONS_MAX + 1)].concat();
    let fields = Encoded::from_object(&Object::new()).unwrap();
    let length = u8::try_from(fields.as_bytes().len()).unwrap();
    let settled = [&[length], fields.as_bytes(), &[2, 0, 0, 1, 0], &paths, &[0, 0]].concat();
    assert!(problem(&[b"\0\0\x01\x01c\x01a\0\x0a", &settled]).contains("at most 1000"));
    let id = format!("\0\0\u{1}\u{1}c\u{7f}a{}\0\u{5}\0", "\u{1}".repeat(126));
    assert!(problem(&[id.as_bytes()]).contains("control character"));
}

/// Parts that may be written in several forms by users, and have one form in a command.
#[test]
fn parts_in_another_form_are_refused() {
    let encoded = |object: Object| {
        let mut bytes = Vec::new();
        crate::codec::encode_operators_into(&object, &mut bytes).unwrap();
        let mut part = Vec::new();
        crate::encode_varint(bytes.len() as u64, &mut part);
        part.extend(bytes);
        part
    };
    let update = |update: Object| {
        let bytes = with_body(&[b"\0\0\x01\x01c\x01a\0\x04", &encoded(update), b"\0"]);
        Command::decode(&bytes)
    };
    let matching = |filter: Object| {
        let bytes = with_body(&[b"\0\0\x01\x01c\x01a\x05", &encoded(filter), b"\x09\0"]);
        Command::decode(&bytes)
    };
    let creating = |spec: Object| Command::decode(&with_body(&[b"\x05\x01c", &encoded(spec)]));
    update(object! { "$set": { "a": 1 } }).unwrap();
    matching(object! { "a": 1, "b": 2 }).unwrap();
    creating(object! { "keys": [{ "a": 1 }], "name": "a_1" }).unwrap();
    let others = [
        update(object! { "a": 1 }),
        update(object! { "$push": { "a": 1 } }),
        update(object! { "$pop": { "a": 1.0 } }),
        matching(object! { "a": { "$eq": 1 } }),
        matching(object! { "$and": [{ "a": 1 }, { "b": 2 }] }),
        matching(object! { "a": { "$in": [2, 1] } }),
        matching(object! { "b": 2, "a": 1 }),
        matching(object! { "a": { "$lt": 2, "$gt": 1 } }),
        update(object! { "$set": { "b": 1, "a": 1 } }),
        update(object! { "$set": { "b": 1 }, "$inc": { "a": 1 } }),
        creating(object! { "name": "a_1", "keys": [{ "a": 1 }] }),
        creating(object! { "keys": [{ "a": 1 }] }),
        creating(object! { "keys": { "a": 1 }, "name": "a_1" }),
        creating(object! { "keys": [{ "a": 1 }], "name": "a_1", "unique": false }),
    ];
    for other in others {
        let error = other.unwrap_err().to_string();
        assert!(error.contains("not in its canonical form"), "{error}");
    }
}
