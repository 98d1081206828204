//! Suite `footprint`: the memory of a document beyond its id and its encoded fields, as the growth
//! of the resident memory of a process that does nothing else.

use crate::Result;
use crate::arguments::Arguments;
use crate::bare_map::{self, BareMap};
use crate::child::{self, Task};
use crate::documents::{ID_BYTES, Pool, Size, scattered_id};
use crate::machine::resident_bytes;
use crate::results::{Results, Unit};
use crate::velocity::{self, Velocity};

/// The table of this suite.
pub const TABLE: &str = "Memory by document, beyond its id and encoded fields";

/// Runs the suite.
pub fn run(arguments: &Arguments, results: &mut Results) -> Result<()> {
    let count = if arguments.is_quick { 200_000 } else { 1_000_000 };
    for size in Size::ALL.into_iter().filter(|size| arguments.wants(TABLE, size.name())) {
        for _ in 0..arguments.rounds.min(3) {
            for (contestant, is_bare_map) in [(velocity::NAME, false), (bare_map::NAME, true)] {
                let task = Task::Footprint { is_bare_map, size, count };
                let [bytes] = child::run(task, &arguments.folder)?;
                results.record(TABLE, size.name(), contestant, Unit::Bytes, bytes);
            }
        }
    }
    Ok(())
}

/// The child's part: bytes by document. Ids are created one by one, so that only the documents are
/// added to the process's memory.
pub fn work(is_bare_map: bool, size: Size, count: u64) -> Result<f64> {
    let (pool, map, velocity) = (Pool::new(size)?, BareMap::new(), Velocity::in_memory()?);
    let (before, _) = resident_bytes()?;
    for number in 0..count {
        let (id, fields) = (scattered_id(number), &pool.get(number).encoded);
        if is_bare_map {
            map.put(&id, fields.as_bytes())?;
        } else {
            velocity.documents.insert(&id, fields)?;
        }
    }
    let (after, _) = resident_bytes()?;
    let content = pool.encoded_bytes(count) + count * ID_BYTES as u64;
    Ok((after as f64 - before as f64 - content as f64) / count as f64)
}
