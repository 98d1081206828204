//! What is bounded of commands: their size, and what they do.

use std::time::Duration;

use velocitydb::{
    Action, Condition, Consistency, Encoded, Error, InputError, Mode, Object, Path, RequestId,
    Sort, Update, WriteBatch, limits, object,
};

use crate::world::{World, options};

fn is_over_limit(error: &Error, words: &str) -> bool {
    match error {
        Error::Invalid(InputError::LimitExceeded { what, .. })
        | Error::CommandTooLarge { what, .. } => what.contains(words),
        _ => false,
    }
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
        docs.insert(format!("{number:02}"), fields.clone()).unwrap();
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

/// Documents that were read before are read again while other commands wait.
#[test]
fn how_much_a_transaction_reads_is_bounded() {
    let db = options(Mode::MemoryOnly, World::new()).open_in_memory().unwrap();
    let mut txn = db.begin().unwrap();
    let reads = 0..=limits::COMMAND_CHECKS_MAX;
    let failed = reads.clone().find(|number| txn.get("docs", number.to_string()).is_err());
    assert_eq!(failed, Some(*reads.end()));
    let error = txn.get("docs", "another").unwrap_err();
    assert!(is_over_limit(&error, "that one transaction has read"), "{error}");
}

/// The name of a field of 1,024 dots is a path of 2,048 bytes. An update of it was taken, and refused
/// with a request id, since its command could not be written.
#[test]
fn updates_of_the_longest_names_are_taken_with_and_without_a_request_id() {
    let db = options(Mode::MemoryOnly, World::new()).open_in_memory().unwrap();
    let docs = db.documents("docs");
    let name = ".".repeat(limits::FIELD_NAME_BYTES_MAX);
    docs.insert("a", Object::from([(name.as_str(), 1)])).unwrap();
    docs.update("a", Object::from([(name.as_str(), 2)])).unwrap();
    let once = docs.request(RequestId::new("r").unwrap());
    once.update("a", Object::from([(name.as_str(), 3)])).unwrap();
    assert!(once.update("a", Object::from([(name.as_str(), 3)])).unwrap().is_replayed);
    let path = Path::field(&name).unwrap().to_string();
    let sort = Sort::new().descending(&path);
    let filter = Object::from([(path.as_str(), 3)]);
    let once = docs.request(RequestId::new("s").unwrap());
    let claim = once.claim(filter).sort(sort);
    let claim = claim.lease(Duration::from_secs(1), Object::from([(name.as_str(), 3)]));
    assert_eq!(claim.update(Object::from([(name.as_str(), 4)])).unwrap().documents.len(), 1);
}
