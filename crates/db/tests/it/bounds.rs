//! What is bounded of commands: their size, and what they do.

use velocitydb::{
    Action, Condition, Consistency, Encoded, Error, InputError, Mode, RequestId, Update,
    WriteBatch, limits, object,
};

use crate::world::{World, options};

fn is_over_limit(error: &Error, words: &str) -> bool {
    matches!(error, Error::Invalid(InputError::LimitExceeded { what, .. }) if what.contains(words))
}

/// Only the documents of a batch were counted: its updates, its conditions and its ids were not, nor
/// was anything of any other command.
#[test]
fn the_size_of_every_command_is_bounded() {
    let db = options(Mode::MemoryOnly, World::new()).open_in_memory().unwrap();
    let docs = db.documents("docs");
    let large = "x".repeat(limits::DOCUMENT_BYTES_MAX - 1_000);
    docs.insert("one", object! { "large": large.as_str() }).unwrap();
    let fields = Encoded::from_object(&object! { "large": large.as_str() }).unwrap();
    let update = || Update::new().set("large", large.as_str());
    type Add<'a> = &'a dyn Fn(&mut WriteBatch, &str);
    let adds: [Add<'_>; 4] = [
        &|batch, id| batch.upsert("docs", id, fields.clone()).unwrap(),
        &|batch, id| batch.update("docs", id, update()).unwrap(),
        &|batch, id| batch.compare("docs", id, Condition::Document(fields.clone())).unwrap(),
        &|batch, id| {
            let condition =
                Condition::Fields(vec![("large".parse().unwrap(), Some(large.as_str().into()))]);
            batch.compare_and_swap("docs", id, condition, Action::Delete).unwrap();
        },
    ];
    for add in adds {
        let mut batch = WriteBatch::new();
        (0..5).for_each(|number| add(&mut batch, &number.to_string()));
        let error = db.write(batch).unwrap_err();
        assert!(is_over_limit(&error, "size of one command"), "{error}");
    }
    assert_eq!(docs.count().unwrap(), 1);
}

/// A command of a few bytes can change ten thousand documents of 16 MiB each: all of them were read
/// before the first was changed, and were written as one batch.
#[test]
fn what_one_command_does_is_bounded_and_many_do_the_rest() {
    let db = options(Mode::MemoryOnly, World::new()).open_in_memory().unwrap();
    let docs = db.documents("docs").at(Consistency::Local);
    let large = "x".repeat(limits::DOCUMENT_BYTES_MAX - 1_000);
    let count = limits::COMMAND_EFFECT_BYTES_MAX / limits::DOCUMENT_BYTES_MAX + 1;
    let fields = Encoded::from_object(&object! { "large": large, "n": 0 }).unwrap();
    for number in 0..count {
        docs.insert(&format!("{number:02}"), fields.clone()).unwrap();
    }
    drop(fields);
    let as_one = docs.request(RequestId::new("all").unwrap());
    let error = as_one.update_many(object! {}, object! { "n": 1 }).unwrap_err();
    assert!(is_over_limit(&error, "that one command changes"), "{error}");
    assert_eq!(docs.find(object! { "n": 0 }).count().unwrap(), count as u64);
    // Without a request id it is done in steps.
    let modified = docs.update_many(object! {}, object! { "n": 1 }).unwrap();
    assert_eq!(modified.count, count as u64);
    assert_eq!(docs.find(object! { "n": 1 }).count().unwrap(), count as u64);
}

/// What a transaction has read is held until it commits, and was bounded only then.
#[test]
fn what_a_transaction_reads_is_bounded_as_it_reads() {
    let db = options(Mode::MemoryOnly, World::new()).open_in_memory().unwrap();
    let name = "c".repeat(limits::COLLECTION_NAME_BYTES_MAX);
    let mut txn = db.begin().unwrap();
    let count = limits::COMMAND_BYTES_MAX / limits::DOCUMENT_ID_BYTES_MAX + 1;
    let id = |number: usize| format!("{number:0>width$}", width = limits::DOCUMENT_ID_BYTES_MAX);
    let error = (0..count).find_map(|number| txn.get(&name, &id(number)).err()).unwrap();
    assert!(is_over_limit(&error, "size of one transaction"), "{error}");

    let mut txn = db.begin().unwrap();
    let text = "x".repeat(1 << 20);
    let find = |number: i64| object! { "text": text.as_str(), "n": number };
    let error = (0..65).find_map(|number| txn.find("docs", find(number)).err()).unwrap();
    assert!(is_over_limit(&error, "size of one transaction"), "{error}");

    // What is written again counts once.
    let mut txn = db.begin().unwrap();
    for number in 0..200 {
        txn.upsert("docs", "one", object! { "text": text.as_str(), "n": number }).unwrap();
    }
    txn.commit().unwrap();
}
