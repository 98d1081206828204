//! Encodes and decodes every kind of part of an answer, intact and damaged.

use proptest::prelude::*;

use super::*;
use crate::{DocumentId, IndexName, JsonMistake, value};

/// An error of every variant.
fn errors() -> Vec<Error> {
    let (path, problem) = ("a.b".to_owned(), "is wrong".to_owned());
    let source = Box::new(Error::Serde { path: path.clone(), message: problem.clone() });
    let first = path.clone();
    let errors = vec![
        Error::LimitExceeded { what: "size".into(), path: path.clone(), found: 300, max: 2 },
        Error::ReservedFieldName { path: path.clone() },
        Error::DuplicateField { path: path.clone() },
        Error::InvalidJson {
            line: 1,
            column: 2,
            problem: problem.clone(),
            mistake: JsonMistake::Other,
        },
        Error::RefusedJson { line: 1, column: 2, source },
        Error::ExtendedJson { key: "$date".into(), expected: "a time".into() },
        Error::IntegerRange { literal: "1e99".to_owned() },
        Error::TimeRange,
        Error::InvalidTime { text: "x".to_owned(), problem: "p".into() },
        Error::InvalidPath { text: "x".to_owned(), position: 3, problem: "p".into() },
        Error::PathBlocked { path: path.clone(), found: Kind::Time, expected: "e".into() },
        Error::InvalidDocumentId { id: String::new(), problem: "p".into() },
        Error::InvalidRequestId { length: 129 },
        Error::InvalidCollectionName { name: "\0".to_owned(), problem: "p".into() },
        Error::UnknownConsistency { found: "x".to_owned() },
        Error::UnknownOperator { operator: "$x".to_owned(), problem: problem.clone() },
        Error::EngineField { operator: "$set".into(), path: path.clone(), advice: "a".into() },
        Error::MixedUpdate { field: "x".to_owned() },
        Error::InvalidOperand { operator: "$inc".into(), path: path.clone(), expected: "e".into() },
        Error::ConflictingPaths { first, second: path.clone() },
        Error::WrongType {
            operator: "$inc".into(),
            path: path.clone(),
            expected: "a number".into(),
            found: Kind::String,
        },
        Error::Overflow { operator: "$mul".into(), path: path.clone() },
        Error::InvalidQuery {
            what: "filter".into(),
            place: path.clone(),
            problem: problem.clone(),
        },
        Error::Expression { operator: "$add".into(), problem },
        Error::DeadlineExceeded,
        Error::MemoryExceeded { what: "m".into(), place: path.clone(), found: 2, max: 1 },
        Error::Conversion { expected: "e".into(), found: Kind::Object },
        Error::Serde { path, message: "é".to_owned() },
        Error::corrupt("p"),
        Error::UnknownVersion { what: "a command".into(), found: 2, known: 1 },
        Error::InvalidText { what: "UUID".into(), text: "x".to_owned(), problem: "p".into() },
        Error::VersionUsed { given: 3, last: 5 },
    ];
    let tags: Vec<u8> = errors.iter().map(|error| bytes_of(error)[0]).collect();
    assert_eq!(tags, (0..errors.len() as u8).collect::<Vec<_>>(), "one of each");
    errors
}

fn refusals() -> Vec<Refusal> {
    let violation = Violation {
        path: "a.b".to_owned(),
        rule: "minimum".to_owned(),
        message: "is 1, and has to be at least 2".to_owned(),
        value: Some(value!({ "n": [1, 2.5, "x"] })),
    };
    let none = Violation { value: None, path: "c".to_owned(), ..violation.clone() };
    let both = || vec![violation.clone(), none.clone()];
    let mut refusals = vec![
        Refusal::Exists { version: 300 },
        Refusal::Missing,
        Refusal::Version { expected: 3, found: 0 },
        Refusal::Content { path: Some("a.b".parse().unwrap()), version: 2 },
        Refusal::Content { path: None, version: u64::MAX },
        Refusal::Duplicate {
            index: IndexName::new("email_1").unwrap(),
            id: DocumentId::new("alice").unwrap(),
        },
        Refusal::Schema(Violations::new(both(), More::None)),
        Refusal::Schema(Violations::new(both(), More::Count(7))),
        Refusal::Schema(Violations::new(both(), More::AtLeast(300))),
        Refusal::Schema(Violations::whole("steps", "takes too many".to_owned())),
        Refusal::NoLease { version: 1 },
        Refusal::Unmatched { version: 5 },
    ];
    refusals.extend(errors().into_iter().map(Refusal::Update));
    refusals
}

fn outcomes() -> Vec<Outcome> {
    let mut outcomes = vec![
        Outcome::Applied { version: 1, existed: false },
        Outcome::Applied { version: u64::MAX, existed: true },
        Outcome::Held { version: 0 },
        Outcome::Abandoned,
    ];
    outcomes.extend(refusals().into_iter().map(Outcome::Refused));
    outcomes
}

fn bytes_of(value: &impl Wire) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.put(&mut bytes);
    bytes
}

#[test]
fn every_part_comes_back_as_it_was_sent() {
    for outcome in outcomes() {
        let mut bytes = bytes_of(&outcome);
        for length in 0..bytes.len() {
            assert_eq!(Outcome::take(&mut &bytes[..length]), None, "{outcome:?} cut at {length}");
        }
        bytes.push(77);
        let mut rest = &bytes[..];
        assert_eq!(Outcome::take(&mut rest).as_ref(), Some(&outcome));
        assert_eq!(rest, [77]);
    }
}

#[test]
fn errors_that_are_nested_by_others_end() {
    let mut bytes = Vec::new();
    for _ in 0..1_000_000 {
        bytes.extend([REFUSED_JSON, 1, 1]);
    }
    assert_eq!(Error::take(&mut &bytes[..]), None);
}

proptest! {
    /// Untrusted bytes are decoded or refused, and decoded values can be encoded again.
    #[test]
    fn damaged_parts_are_read_or_refused(
        which in any::<prop::sample::Index>(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let outcomes = outcomes();
        let mut bytes = bytes_of(which.get(&outcomes));
        for (place, byte) in flips {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Some(read) = Outcome::take(&mut &bytes[..]) {
            prop_assert_eq!(Outcome::take(&mut &bytes_of(&read)[..]), Some(read));
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Outcome::take(&mut &bytes[..]);
        let _ = Error::take(&mut &bytes[..]);
    }
}
