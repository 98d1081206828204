//! Applying is deterministic: the same commands in the same order make the same state, whether
//! each is committed alone or many together, by one thread or by many, and whether what the machine
//! remembers beside the state (where searches begin) is warm, or lost with every round.

use std::sync::Arc;
use std::thread;

use velocitydb::{Database, Existing, object};
use velocitydb_storage::contract::Random;

use crate::differential::generator::Generator;
use crate::differential::real;
use crate::differential::step::{Answer, COLLECTIONS, INDEXES, Step};
use crate::fault::{Faulty, Place, wait_until};
use crate::world::{World, in_every_mode};

const ROUNDS: u64 = 100;

/// Commands that come in one round, while the one before them is being committed.
const GROUP_MAX: u64 = 12;

#[test]
fn groups_make_the_same_state_as_single_commands() {
    let mut random = Random::announced("groups_make_the_same_state_as_single_commands");
    let mut generator = Generator::new(random.clone());
    let (alone, grouped, mut reopened) = (Side::new(), Side::new(), Side::new());
    let mut commands = 0;
    for _ in 0..ROUNDS {
        let count = random.within(2..GROUP_MAX);
        let mut steps: Vec<_> = (0..count).map(|_| durable(generator.next_command())).collect();
        steps.retain(is_one_command);
        commands += steps.len() as u64;
        let elapsed = std::time::Duration::from_secs(random.within(0..7_200));
        for side in [&alone, &grouped, &reopened] {
            side.world.advance(elapsed);
        }
        let expected: Vec<_> = steps.iter().map(|step| settled(alone.run(step))).collect();
        let answers: Vec<_> = grouped.run_together(&steps).into_iter().map(settled).collect();
        assert_eq!(answers, expected, "{steps:#?}");
        let cold: Vec<_> = steps.iter().map(|step| settled(reopened.run(step))).collect();
        assert_eq!(cold, expected, "after it was opened again: {steps:#?}");
        // Those that are several commands come alone.
        let collection =
            COLLECTIONS[random.within(0..COLLECTIONS.len() as u64) as usize].to_owned();
        let index = random.within(0..INDEXES as u64) as usize;
        let create = Step::CreateIndex { collection, index };
        for step in [create, Step::Maintain] {
            let expected = alone.run(&step);
            assert_eq!(grouped.run(&step), expected, "{step:?}");
            assert_eq!(reopened.run(&step), expected, "after it was opened again: {step:?}");
        }
        let hash = alone.state_hash();
        assert_eq!(grouped.state_hash(), hash, "{steps:#?}");
        assert_eq!(reopened.state_hash(), hash, "after it was opened again: {steps:#?}");
        reopened = reopened.reopen();
    }
    let (many, few) = (alone.engine.commits(), grouped.engine.commits());
    assert!(few < many, "{few} commits and {many} commits of {commands} commands");
}

/// Maintenance that touched the totals of no collection (the removal of what a dropped one left)
/// had a place in the order of commands, and did not write down that it had: after a restart the
/// next command was given the same place again.
#[test]
fn maintenance_keeps_its_place_after_a_restart() {
    in_every_mode(|home| {
        home.db().documents("docs").insert("a", object! {}).unwrap();
        home.db().documents("dropped").insert("a", object! {}).unwrap();
        home.db().drop_collection("dropped").unwrap();
        home.db().maintain().unwrap();
        home.reopen();
        assert_eq!(home.db().documents("docs").update("a", object! {}).unwrap().index, 5);
    });
}

struct Side {
    engine: Arc<Faulty>,
    world: Arc<World>,
    db: Database,
}

impl Side {
    fn new() -> Self {
        let (engine, world) = (Faulty::new(), World::new());
        let db = engine.database(world.clone());
        Side { engine, world, db }
    }

    /// The same state, and nothing else that was known before.
    fn reopen(self) -> Self {
        let Side { engine, world, db } = self;
        drop(db);
        let db = engine.database(world.clone());
        Side { engine, world, db }
    }

    fn run(&self, step: &Step) -> Answer {
        real::run(&self.db, &self.db.snapshot().unwrap(), step)
    }

    /// Runs each step on a thread of its own, in their order: all that come while the first one is
    /// held at the gate.
    fn run_together(&self, steps: &[Step]) -> Vec<Answer> {
        thread::scope(|scope| {
            let gate = self.engine.close_gate(Place::Before);
            let mut threads = Vec::new();
            let mut has_arrived = false;
            for step in steps {
                let waiting = self.db.stats().unwrap().waiting;
                let thread = scope.spawn(|| self.run(step));
                wait_until("the command to end, to be held, or to queue up", || {
                    let is_held = !has_arrived && self.engine.is_anyone_at_gate();
                    has_arrived |= is_held;
                    is_held
                        || thread.is_finished()
                        || self.db.stats().unwrap().waiting == waiting + 1
                });
                threads.push(thread);
            }
            drop(gate);
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        })
    }

    fn state_hash(&self) -> u128 {
        self.db.snapshot().unwrap().state_hash().unwrap()
    }
}

/// An answer without what is read after the command: documents as they are when a retry asks.
fn settled(mut answer: Answer) -> Answer {
    match &mut answer {
        Answer::Claimed { documents, lost, is_replayed: true, .. } => {
            documents.clear();
            lost.clear();
        }
        Answer::Swapped { current, is_replayed: true, .. } => *current = None,
        _ => {}
    }
    answer
}

/// Whether a step is one command, and one that can queue up.
fn is_one_command(step: &Step) -> bool {
    match step {
        Step::Maintain | Step::CreateIndex { .. } => false,
        Step::SetSchema { existing, .. } => *existing == Existing::Keep,
        Step::Many { context, .. } => context.request.is_some(),
        _ => true,
    }
}

/// The same command at a level that waits for the disk: others are not grouped.
fn durable(mut step: Step) -> Step {
    if let Some(context) = step.context_mut() {
        context.level = velocitydb::Consistency::Strong;
    }
    step
}
