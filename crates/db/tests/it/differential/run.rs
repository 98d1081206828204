//! One run: the model and the four modes, step by step.

use std::collections::VecDeque;

use velocitydb::{Direction, Snapshot};
use velocitydb_storage::contract::Random;

use super::generator::Generator;
use super::model::Model;
use super::real;
use super::step::{self, Bounds, Step};
use crate::world::{Home, MODES};

/// The default number of steps of a run.
const STEPS: u64 = 1_500;

/// Steps that a failure shows.
const SHOWN: usize = 12;

struct Player {
    home: Home,
    snapshot: Option<Snapshot>,
}

impl Player {
    fn run(&mut self, step: &Step, now: i64) -> step::Answer {
        match step {
            Step::Advance(_) | Step::GoBack(_) => self.home.world.set_micros(now),
            Step::TakeSnapshot => self.snapshot = Some(self.home.db().snapshot().unwrap()),
            Step::Restart => {
                self.snapshot = None;
                self.home.reopen();
                self.snapshot = Some(self.home.db().snapshot().unwrap());
            }
            _ => {}
        }
        let snapshot = self.snapshot.as_ref().expect("there is always one");
        real::run(self.home.db(), snapshot, step)
    }

    fn state_hash(&self) -> u128 {
        self.home.db().snapshot().unwrap().state_hash().unwrap()
    }
}

#[test]
fn every_mode_does_as_the_model() {
    let random = Random::announced("every_mode_does_as_the_model");
    let steps = std::env::var("VELOCITYDB_STEPS").ok().and_then(|steps| steps.parse().ok());
    let mut generator = Generator::new(random);
    let mut model = Model::new();
    let mut players = MODES.map(|mode| {
        let home = Home::new(mode);
        let snapshot = Some(home.db().snapshot().unwrap());
        Player { home, snapshot }
    });
    let mut last = VecDeque::new();
    for number in 0..steps.unwrap_or(STEPS) {
        let step = generator.next();
        let now = model.now();
        let expected = model.run(&step);
        if last.len() == SHOWN {
            last.pop_front();
        }
        last.push_back(format!("{step:?} at {now}: {expected:?}"));
        for player in &mut players {
            let found = player.run(&step, model.now());
            let mode = player.home.mode;
            assert!(
                found == expected,
                "step {number} in {mode:?} answers {found:?} after {last:#?}"
            );
        }
        if matches!(step, Step::Restart) {
            compare_everything(&mut model, &mut players, number);
        }
    }
    compare_everything(&mut model, &mut players, u64::MAX);
    for player in players {
        drop(player.snapshot);
        player.home.close();
    }
}

/// Every document of every collection, and the hash of everything that belongs to them.
fn compare_everything(model: &mut Model, players: &mut [Player], number: u64) {
    let list = Bounds { offset: 0, limit: None, after: None, direction: Direction::Forward };
    let lists = step::COLLECTIONS.iter().map(|name| Step::List {
        collection: (*name).to_owned(),
        list: list.clone(),
        level: velocitydb::Consistency::Strong,
    });
    for step in lists.chain([Step::Collections]) {
        let expected = model.run(&step);
        for player in players.iter_mut() {
            let found = player.run(&step, model.now());
            assert_eq!(found, expected, "{:?} after step {number}", player.home.mode);
        }
    }
    let hashes: Vec<_> = players.iter().map(Player::state_hash).collect();
    let is_same = hashes.iter().all(|hash| *hash == hashes[0]);
    assert!(is_same, "the state hashes differ after step {number}: {hashes:?}");
    for player in players {
        let report = player.home.db().snapshot().unwrap().check().unwrap();
        assert!(report.is_healthy(), "{:?} after step {number}: {report:#?}", player.home.mode);
    }
}
