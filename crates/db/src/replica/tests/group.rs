//! Commands from a log, applied in groups by machines that come and go.

use std::sync::Arc;

use smallvec::smallvec;
use velocitydb_core::{
    Action, Body, Command, Condition, Encoded, Expiry, Operation, Time, Write, object,
};
use velocitydb_storage::Engine;
use velocitydb_storage::memory::Memory;

use super::*;
use crate::keys::KEYSPACE_NAMES;
use crate::state::catalog::load_system;
use crate::{Error, Snapshot};

fn command(id: &str, condition: Condition, action: Action) -> Command {
    let operation = Operation {
        collection: "docs".try_into().unwrap(),
        id: id.try_into().unwrap(),
        condition,
        action,
        expiry: Expiry::Keep,
    };
    let write = Write { checks: Vec::new(), operations: smallvec![operation] };
    Command { now: Time::MIN, request: None, body: Body::Write(write) }
}

/// Commands, some of which are refused where they stand and would not be later.
fn log() -> Vec<Command> {
    let fields = || Encoded::from_object(&object! { "n": 1 }).unwrap();
    let insert = || Action::Insert(fields());
    let upsert =
        |id: &str, version| command(id, Condition::Version(version), Action::Upsert(fields()));
    let mut log = Vec::new();
    for id in ["a", "b", "c"] {
        log.push(upsert(id, 2));
        log.push(command(id, Condition::Always, insert()));
        log.push(command(id, Condition::Always, insert()));
        log.push(upsert(id, 2));
        log.push(command(id, Condition::Always, Action::Upsert(fields())));
    }
    log.push(command("d", Condition::Always, Action::Delete));
    log
}

fn machine(engine: &Arc<Memory>) -> Machine {
    Machine::new(engine.clone(), Arc::default()).unwrap()
}

fn engine() -> Arc<Memory> {
    Arc::new(Memory::new(KEYSPACE_NAMES.len()))
}

fn position(engine: &Memory) -> usize {
    load_system(&*engine.snapshot().unwrap()).unwrap().log_position as usize
}

fn hash(engine: &Memory) -> u128 {
    Snapshot::of_everything(engine.snapshot().unwrap()).state_hash().unwrap()
}

/// Whatever the groups, and wherever a machine ended, replaying the log from where the state says that
/// it is gives the same answers and the same state: nothing that was refused is asked again of a later
/// state, and nothing is applied twice.
#[test]
fn a_log_is_replayed_from_where_the_state_is() {
    let log = log();
    let texts = |answer: Answer| format!("{:?}", answer.map_err(Error::from));
    let expected = engine();
    let mut alone = machine(&expected);
    let answers: Vec<String> = log
        .iter()
        .enumerate()
        .map(|(at, command)| {
            let mut group = Group::begin(&mut alone);
            let answer = texts(group.apply(command).unwrap());
            group.move_to(at as u64 + 1);
            group.commit(Commit::At(Durability::Os)).unwrap();
            // Refusals too have a position.
            assert_eq!(position(&expected), at + 1);
            answer
        })
        .collect();
    assert!(answers.iter().filter(|answer| answer.contains("Refused")).count() >= 6);
    // Who wants no answers comes to the same state.
    let followed = engine();
    let mut follower = machine(&followed);
    let mut group = Group::begin(&mut follower);
    log.iter().for_each(|command| group.follow(command).unwrap());
    group.move_to(log.len() as u64);
    group.commit(Commit::At(Durability::Os)).unwrap();
    assert_eq!(hash(&followed), hash(&expected));
    for group_length in 1..=log.len() {
        for lost in 0..=group_length {
            let engine = engine();
            let mut is_first_attempt = true;
            while position(&engine) < log.len() {
                // A machine that ends, every second time, with a part of a group applied.
                let mut machine = machine(&engine);
                let begin = position(&engine);
                let mut group = Group::begin(&mut machine);
                let part = &log[begin..log.len().min(begin + group_length)];
                let count = if is_first_attempt { lost.min(part.len()) } else { part.len() };
                for (at, command) in part[..count].iter().enumerate() {
                    assert_eq!(texts(group.apply(command).unwrap()), answers[begin + at]);
                }
                if !is_first_attempt {
                    group.move_to((begin + count) as u64);
                    group.commit(Commit::At(Durability::Os)).unwrap();
                }
                is_first_attempt = !is_first_attempt;
            }
            assert_eq!(hash(&engine), hash(&expected), "groups of {group_length}");
        }
    }
}
