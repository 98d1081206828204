//! What a pipeline bounds and groups.

use smallvec::smallvec;
use velocitydb_core::{
    Action, Body, Condition, Encoded, Expiry, Maintain, MaintainScope, Operation, Time, Write,
};
use velocitydb_storage::Engine;
use velocitydb_storage::memory::Memory;

use super::super::queue::{COMMANDS_BYTES_MAX, COMMANDS_MAX};
use super::*;
use crate::Snapshot;
use crate::keys::KEYSPACE_NAMES;

fn pipeline() -> (Pipeline, Arc<Memory>) {
    let engine = Arc::new(Memory::new(KEYSPACE_NAMES.len()));
    let machine = Machine::new(engine.clone(), Arc::default()).unwrap();
    let views = Arc::new(Views::new(engine.clone(), machine.due_next_shared()));
    (Pipeline::new(machine, engine.clone(), views, None, |_| {}), engine)
}

fn queue(pipeline: &Pipeline, waiters: impl Iterator<Item = Arc<Waiter>>) {
    let mut queue = pipeline.queue.lock();
    queue.extend(waiters);
    pipeline.queued.store(queue.len(), Ordering::Relaxed);
}

fn command(seconds: i64, body: Body) -> Command {
    Command { now: Time::from_millis(seconds * 1_000).unwrap(), request: None, body }
}

fn insert(seconds: i64, id: &str, expiry: Expiry) -> Command {
    let operation = Operation {
        collection: "docs".try_into().unwrap(),
        id: id.try_into().unwrap(),
        condition: Condition::Always,
        action: Action::Insert(Encoded::default()),
        expiry,
    };
    let operations = smallvec![operation];
    command(seconds, Body::Write(Write { checks: Vec::new(), operations }))
}

/// Only those that waited in the queue were counted: writers at a level that waits for no disk
/// waited for the machine itself, any number of them with any number of bytes.
#[test]
fn what_is_under_way_is_bounded_at_every_level() {
    let (pipeline, _) = pipeline();
    let command = command(0, Body::Write(Write::default()));
    let busy = pipeline.machine.lock();
    for durability in [Durability::Memory, Durability::Os, Durability::Disk] {
        for (commands, bytes) in [(COMMANDS_MAX, 0), (1, COMMANDS_BYTES_MAX)] {
            pipeline.load.commands.store(commands, Ordering::Relaxed);
            pipeline.load.bytes.store(bytes, Ordering::Relaxed);
            let error = pipeline.submit(command.clone(), durability).unwrap_err();
            assert!(matches!(error, Error::Overloaded { waiting } if waiting == commands));
            assert!(error.is_retryable());
            assert_eq!(pipeline.load.commands.load(Ordering::Relaxed), commands);
            assert_eq!(pipeline.load.bytes.load(Ordering::Relaxed), bytes);
        }
    }
    drop(busy);
    pipeline.load.commands.store(0, Ordering::Relaxed);
    pipeline.load.bytes.store(0, Ordering::Relaxed);
    pipeline.submit(command, Durability::Disk).unwrap();
    assert_eq!(pipeline.load.commands.load(Ordering::Relaxed), 0);
}

/// A group is taken from the queue up to a number of commands; the others stay for the next.
#[test]
fn a_group_is_bounded() {
    let (pipeline, _) = pipeline();
    let command = command(0, Body::Write(Write::default()));
    let waiter = Arc::new(Waiter::of_thread(command.clone(), Durability::Disk));
    let count = 3 * GROUP_COMMANDS_MAX;
    queue(&pipeline, std::iter::repeat_n(waiter, count));
    pipeline.submit(command, Durability::Disk).unwrap();
    assert_eq!(pipeline.waiting(), count - (GROUP_COMMANDS_MAX - 1));
}

/// Maintenance in a group sees what came before it there, and is seen by what follows.
#[test]
fn maintenance_in_a_group_does_as_alone() {
    let at = |seconds: i64| Expiry::At(Time::from_millis(seconds * 1_000).unwrap());
    let maintain = Maintain {
        forget_deleted_before: Time::MIN,
        forget_requests_before: Time::MIN,
        count_max: 10,
        scope: MaintainScope::All,
    };
    let commands = [
        insert(0, "expires", at(10)),
        insert(0, "stays", Expiry::Keep),
        command(20, Body::Maintain(maintain)),
        insert(20, "expires", at(30)),
        command(40, Body::Maintain(maintain)),
        insert(40, "last", Expiry::Keep),
    ];
    let (alone, engine_alone) = pipeline();
    for command in &commands {
        alone.submit(command.clone(), Durability::Disk).unwrap();
    }
    let (grouped, engine_grouped) = pipeline();
    let (last, first) = commands.split_last().unwrap();
    let waiter = |command: &Command| Arc::new(Waiter::of_thread(command.clone(), Durability::Disk));
    queue(&grouped, first.iter().map(waiter));
    assert_eq!(grouped.submit(last.clone(), Durability::Disk).unwrap().index, 6);
    let hash =
        |engine: &Memory| Snapshot::of_everything(engine.snapshot().unwrap()).state_hash().unwrap();
    assert_eq!(hash(&engine_alone), hash(&engine_grouped));
    assert!(engine_grouped.stats().commits < engine_alone.stats().commits);
}

/// The first in the line notices by itself that the owner does not come back within its slice.
#[test]
fn the_first_in_the_line_waits_for_no_owner_who_went_away() {
    let (pipeline, _) = pipeline();
    let insert = |id: &str| insert(0, id, Expiry::Keep);
    std::thread::scope(|scope| {
        let mut owner = Lead::new(&pipeline, pipeline.machine.lock(), &[]);
        owner.keeps_machine = true;
        let writers = ["first", "second", "third"].map(|id| {
            let pipeline = &pipeline;
            scope.spawn(move || pipeline.submit(insert(id), Durability::Memory).unwrap())
        });
        while pipeline.waiting() < writers.len() {
            std::thread::yield_now();
        }
        // The owner does not come back, and no other thread is there to wake them.
        owner.end();
        let mut indexes = writers.map(|writer| writer.join().unwrap().index);
        indexes.sort_unstable();
        assert_eq!(indexes, [1, 2, 3]);
    });
    assert_eq!(pipeline.waiting(), 0);
}

/// Threads that write without a pause, at all levels, and one who asks: everybody gets his turn.
#[test]
fn busy_writers_at_all_levels_take_turns() {
    const WRITES: usize = 300;
    let (pipeline, engine) = pipeline();
    let levels = [Durability::Memory, Durability::Os, Durability::Disk];
    std::thread::scope(|scope| {
        for writer in 0..12 {
            let (pipeline, durability) = (&pipeline, levels[writer % levels.len()]);
            scope.spawn(move || {
                for number in 0..WRITES {
                    let command = insert(0, &format!("{writer}-{number}"), Expiry::Keep);
                    pipeline.submit(command, durability).unwrap();
                    if number % 100 == 0 {
                        pipeline.ask(|_| ());
                    }
                }
            });
        }
    });
    assert_eq!(pipeline.waiting(), 0);
    let state = Snapshot::of_everything(engine.snapshot().unwrap());
    assert_eq!(state.count("docs").unwrap(), 12 * WRITES as u64);
}
