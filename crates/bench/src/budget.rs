//! Suite `budget`: the peak resident memory of a process that stores and reads ten times the memory
//! budget of its database.

use velocitydb::{Consistency, Mode, Options};

use crate::Result;
use crate::allocator;
use crate::arguments::Arguments;
use crate::child::{self, Task};
use crate::documents::{Pool, Size, scattered_id};
use crate::machine::resident_bytes;
use crate::random::Random;
use crate::results::{Results, Unit};
use crate::velocity::BATCH;

/// The table of this suite.
pub const TABLE: &str = "Peak resident memory by memory budget, load ten times the budget";

/// The modes that have a budget.
pub const MODES: [(Mode, &str); 2] =
    [(Mode::Hybrid, "VelocityDB hybrid"), (Mode::Persistent, "VelocityDB persistent")];

/// The measured budgets in MiB.
pub const BUDGETS: [u64; 2] = [64, 256];

const CASES: [(Size, u64); 4] = [
    (Size::Small, BUDGETS[0]),
    (Size::Small, BUDGETS[1]),
    (Size::Large, BUDGETS[0]),
    (Size::Large, BUDGETS[1]),
];

/// Runs the suite.
pub fn run(arguments: &Arguments, results: &mut Results) -> Result<()> {
    let cases: &[(Size, u64)] = match arguments.is_quick {
        true => &[(Size::Large, BUDGETS[0])],
        false => &CASES,
    };
    for &(size, megabytes) in cases {
        let row = row(size, megabytes);
        if !arguments.wants(TABLE, &row) {
            continue;
        }
        for (mode, name) in MODES {
            let task = Task::Budget { mode, size, budget: megabytes << 20 };
            let [times] = child::run(task, &arguments.folder)?;
            results.record(TABLE, &row, name, Unit::Times, times);
        }
    }
    Ok(())
}

/// The title of a row.
pub fn row(size: Size, megabytes: u64) -> String {
    format!("{megabytes} MiB, {}", size.name())
}

/// The child's part: the peak by the budget. Loads in batches; after each, reads a few documents from
/// the whole key space, so that caches and buffers fill together.
pub fn work(mode: Mode, size: Size, budget: u64) -> Result<f64> {
    allocator::keep_to_a_budget();
    let folder = tempfile::tempdir_in(".")?;
    let db = Options::new().mode(mode).memory_budget(budget).open(folder.path())?;
    let documents = db.documents("users").at(Consistency::Local);
    let (pool, mut random) = (Pool::new(size)?, Random::new(budget));
    let (mut stored_bytes, mut count) = (0, 0);
    while stored_bytes < 10 * budget {
        let batch = count..count + BATCH as u64;
        let fields = |number| &pool.get(number).encoded;
        stored_bytes +=
            batch.clone().map(|number| fields(number).as_bytes().len() as u64).sum::<u64>();
        documents.insert_many(batch.map(|number| (scattered_id(number), fields(number))))?;
        count += BATCH as u64;
        for _ in 0..BATCH / 5 {
            let id = scattered_id(random.below(count));
            documents.get(&id)?.ok_or("the document is missing")?;
        }
    }
    let (_, peak) = resident_bytes()?;
    Ok(peak as f64 / budget as f64)
}
