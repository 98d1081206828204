//! Every answer comes back as it was sent, whole, cut and damaged.

use proptest::prelude::*;
use smallvec::smallvec;
use velocitydb_core::{DocumentId, Refusal};

use super::*;
use crate::error::RefusedBatch;
use crate::error::every::every_variant;

fn reply() -> Reply {
    let id = |id: &str| DocumentId::new(id).unwrap();
    let record = |bytes: &[u8]| Some(Blob::copy_of(bytes));
    let found = |version, before, after| Found { id: id("a"), version, before, after };
    Reply {
        index: 300,
        outcomes: smallvec![
            Outcome::Applied { version: 1, existed: false },
            Outcome::Refused(Refusal::Missing),
            Outcome::Abandoned,
        ],
        current: record(b"current"),
        is_replayed: true,
        has_more: true,
        found: smallvec![
            found(2, None, None),
            found(3, record(b"before"), None),
            found(4, record(b"before"), record(b"after")),
        ],
        found_count: 7,
        new_ids: vec![(0, id("made-up"))],
        skipped: vec![(id("b"), Refusal::NoLease { version: 5 })],
        skipped_count: 9,
        schema_version: 6,
        is_behind: true,
        problems: vec!["it could not".to_owned()],
    }
}

/// A reply with everything, one with nothing, and every rejection.
fn answers() -> Vec<Answer> {
    let outcomes = vec![Outcome::Refused(Refusal::Missing), Outcome::Abandoned];
    let batch = Some(Box::new(RefusedBatch { position: 0, outcomes }));
    let (collection, id) = ("docs".try_into().unwrap(), DocumentId::new("a").unwrap());
    let batched = Error::refused(collection, id, Refusal::Missing, batch);
    let errors = every_variant().into_iter().chain([batched]);
    let rejections: Vec<Answer> =
        errors.filter_map(|error| Rejection::of(error).ok()).map(Err).collect();
    assert_eq!(rejections.len(), 22, "every error that rejects, and one of a batch");
    [Ok(reply()), Ok(Reply::default())].into_iter().chain(rejections).collect()
}

fn bytes_of(answer: &Answer) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_answer(answer, &mut bytes);
    bytes
}

fn shown(answer: &Answer) -> String {
    format!("{answer:?}")
}

#[test]
fn every_answer_comes_back_as_it_was_sent() {
    for answer in answers() {
        let bytes = bytes_of(&answer);
        let read = decode_answer(&bytes).unwrap();
        assert_eq!(shown(&read), shown(&answer));
        assert_eq!(bytes_of(&read), bytes);
    }
}

/// What is cut off is no rejection. Of a reply any part may be missing, so what is left is one of its
/// beginnings, or none.
#[test]
fn what_is_cut_off_is_not_taken_for_more_than_it_is() {
    for answer in answers() {
        let bytes = bytes_of(&answer);
        for length in 0..bytes.len() {
            let cut = decode_answer(&bytes[..length]);
            match &answer {
                Err(_) => assert!(matches!(cut, Err(Error::Corrupt { .. })), "{answer:?}"),
                Ok(_) => {
                    let is_beginning = |cut: Answer| bytes.starts_with(&bytes_of(&cut));
                    assert!(cut.map_or(true, is_beginning), "cut at {length}");
                }
            }
        }
    }
}

#[test]
fn another_version_is_refused_by_its_number() {
    let mut bytes = bytes_of(&Ok(reply()));
    bytes[0] = ANSWER_VERSION + 1;
    let error = decode_answer(&bytes).unwrap_err().to_string();
    assert!(error.starts_with("an answer is encoded in version 2, and only version 1"), "{error}");
}

proptest! {
    #[test]
    fn damaged_answers_are_read_or_refused(
        which in any::<prop::sample::Index>(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = bytes_of(which.get(&answers()));
        for (place, byte) in flips {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Ok(read) = decode_answer(&bytes) {
            let again = decode_answer(&bytes_of(&read)).unwrap();
            prop_assert_eq!(shown(&again), shown(&read));
        }
    }
}
