//! A node that cannot read what a command needs has failed, which is no answer to the command.
//!
//! The failed read was rolled back like a refusal, and the next command was applied to a state that
//! lacked the one before. On one of several machines that apply the same commands, that is the end of
//! their being the same.

use std::time::Duration;

use velocitydb::{Error, StorageError, object};

use crate::fault::{Fault, Faulty};
use crate::world::World;

fn is_poisoned(error: &Error) -> bool {
    matches!(error.cause(), Error::Storage(StorageError::Poisoned { .. }))
}

/// Wherever in its course the read fails, the command and all that follow are not applied, what is
/// there can be read, and a restart goes on.
#[test]
fn a_read_that_fails_while_a_command_is_applied_stops_the_machine() {
    let mut stopped = 0;
    for reads in 0.. {
        let (engine, world) = (Faulty::new(), World::new());
        let db = engine.database(world.clone());
        let docs = db.documents("docs");
        docs.insert("a", object! { "n": 1 }).unwrap();
        engine.set_after(Fault::Read, reads);
        let Err(error) = docs.update("a", object! { "n": 2 }) else { break };
        assert!(matches!(error, Error::Storage(StorageError::Io { .. })), "{error}");
        engine.set(Fault::None);
        let version = || docs.get("a").unwrap().unwrap().version();
        let Err(error) = docs.insert("b", object! {}) else {
            // It was read before there was a command.
            assert_eq!(version(), 1);
            continue;
        };
        assert!(is_poisoned(&error) && error.to_string().contains("input/output"), "{error}");
        assert_eq!((version(), docs.count().unwrap()), (1, 1));
        let health = db.health();
        assert!(health.is_readable && !health.is_writable, "{health:?}");
        drop((docs, db));
        let docs = engine.database(world).documents("docs");
        assert_eq!(docs.update("a", object! { "n": 2 }).unwrap().version, 2);
        stopped += 1;
    }
    assert!(stopped > 0, "no command reads");
}

/// What is due and cannot be read is not put off either.
#[test]
fn a_read_that_fails_in_maintenance_is_not_passed_over() {
    let (engine, world) = (Faulty::new(), World::new());
    let db = engine.database(world.clone());
    let docs = db.documents("docs");
    docs.time_to_live(Duration::from_secs(1)).insert("a", object! {}).unwrap();
    world.advance(Duration::from_secs(2));
    engine.set(Fault::Read);
    let error = db.maintain().unwrap_err();
    assert!(matches!(error, Error::Storage(StorageError::Io { .. })), "{error}");
    assert!(is_poisoned(&db.maintain().unwrap_err()));
    assert_eq!(db.stats().unwrap().postponed, 0);
    drop((docs, db));
    let db = engine.database(world);
    db.maintain().unwrap();
    assert_eq!(db.stats().unwrap().collections[0].count, 0);
}
