//! The environment of a database in tests: a clock that moves on demand, reproducible random numbers, and a
//! home (folder and mode) in which the database can be closed and opened.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use velocitydb::{Database, Environment, MaintenanceMode, Mode, Options, Time, doctor};

/// Every storage mode.
pub const MODES: [Mode; 4] = [Mode::MemoryOnly, Mode::MemoryFirst, Mode::Hybrid, Mode::Persistent];

/// 2026-01-01T00:00:00Z, when every test begins.
pub const START_MICROS: i64 = 1_767_225_600_000_000;

/// A clock and a source of random numbers that are controlled by the test.
pub struct World {
    now: AtomicI64,
    drawn: AtomicU64,
}

impl World {
    pub fn new() -> Arc<Self> {
        Arc::new(World { now: AtomicI64::new(START_MICROS), drawn: AtomicU64::new(0) })
    }

    pub fn advance(&self, duration: Duration) {
        let micros = i64::try_from(duration.as_micros()).unwrap();
        self.now.fetch_add(micros, Ordering::SeqCst);
    }

    pub fn set_micros(&self, micros: i64) {
        self.now.store(micros, Ordering::SeqCst);
    }
}

impl Environment for World {
    fn now(&self) -> Time {
        Time::from_micros(self.now.load(Ordering::SeqCst)).unwrap()
    }

    fn random(&self) -> u128 {
        let number = self.drawn.fetch_add(1, Ordering::SeqCst) + 1;
        u128::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
    }
}

/// A database, and where it lives.
pub struct Home {
    pub mode: Mode,
    pub world: Arc<World>,
    folder: Option<TempDir>,
    db: Option<Database>,
    maintenance_step: u32,
}

impl Home {
    pub fn new(mode: Mode) -> Self {
        Self::in_world(mode, World::new())
    }

    pub fn in_world(mode: Mode, world: Arc<World>) -> Self {
        let folder = (mode != Mode::MemoryOnly).then(|| tempfile::tempdir().unwrap());
        let mut home = Home { mode, world, folder, db: None, maintenance_step: 1_000 };
        home.db = Some(home.open());
        home
    }

    /// Opens the database again, with so much done in one step of maintenance.
    pub fn set_maintenance_step(&mut self, count: u32) {
        self.maintenance_step = count;
        self.db = None;
        self.db = Some(self.open());
    }

    pub fn db(&self) -> &Database {
        self.db.as_ref().unwrap()
    }

    /// Closes the database and opens it again; in memory alone that would lose everything, so
    /// nothing is done there.
    pub fn reopen(&mut self) {
        if self.folder.is_some() {
            self.db = None;
            self.db = Some(self.open());
        }
    }

    /// Closes the database, and checks its folder.
    pub fn close(mut self) {
        self.db = None;
        let Some(folder) = self.folder else { return };
        let report = doctor(folder.path()).unwrap();
        assert!(report.is_healthy(), "{:?}: {report:#?}", self.mode);
    }

    fn open(&self) -> Database {
        let options = options(self.mode, self.world.clone());
        let options = options.maintenance_step(self.maintenance_step);
        match &self.folder {
            Some(folder) => options.open(folder.path()).unwrap(),
            None => options.open_in_memory().unwrap(),
        }
    }
}

/// The options of every test: this mode and this world, and nothing happens by itself.
pub fn options(mode: Mode, world: Arc<World>) -> Options {
    let options = Options::new().mode(mode).memory_budget(64 << 20);
    options.environment(world).maintenance(MaintenanceMode::Manual)
}

/// Runs a test in every mode.
pub fn in_every_mode(test: impl Fn(&mut Home)) {
    for mode in MODES {
        println!("mode: {mode:?}");
        let mut home = Home::new(mode);
        test(&mut home);
        home.close();
    }
}
