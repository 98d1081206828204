//! [`Workload`]: measures how many operations per second a database does, for `bench` and for the
//! last chapter of the demo.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use velocitydb::{Documents, Object, Result, object};

/// How many operations are done between two reads of the clock.
const CLOCK_EVERY: u64 = 16;

/// The parameters and the state of a measurement.
pub struct Workload {
    documents: Documents,
    fields: Object,
    threads: usize,
    duration: Duration,
    /// How many documents each thread has inserted.
    inserted: Vec<u64>,
    /// How many rounds of compare-and-swap each thread has finished over its documents, and its
    /// position in the next one.
    swapped: Vec<(u64, u64)>,
}

/// A kind of operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Inserts new documents, one in a call.
    Insert,
    /// Gets documents in random order, and reads a field of each.
    Get,
    /// Compares versions and swaps in a field, over all documents.
    CompareAndSwap,
    /// Merges a field into documents in random order.
    Update,
}

/// The result of a measurement.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// Operations that were done.
    pub operations: u64,
    /// How long they took, in all threads concurrently.
    pub elapsed: Duration,
}

impl Measured {
    /// Operations per second, of all threads together.
    pub fn per_second(&self) -> f64 {
        self.operations as f64 / self.elapsed.as_secs_f64()
    }
}

impl Kind {
    /// All kinds, in the order in which they can be measured: there must be documents first, and
    /// those that are swapped have known versions until they are updated.
    pub const ALL: [Kind; 4] = [Kind::Insert, Kind::Get, Kind::CompareAndSwap, Kind::Update];

    /// The name of the command for one such operation.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Insert => "insert",
            Kind::Get => "get",
            Kind::CompareAndSwap => "cas",
            Kind::Update => "update",
        }
    }
}

impl Workload {
    /// Work on this collection, which is empty, with documents of about `document_bytes` of JSON.
    pub fn new(
        documents: Documents,
        document_bytes: usize,
        threads: usize,
        duration: Duration,
    ) -> Self {
        let mut fields = object! { "name": "Alice", "age": 28, "state": "waiting", "note": "" };
        let padding = document_bytes.saturating_sub(fields.to_json().len());
        fields.insert("note", "x".repeat(padding));
        let (inserted, swapped) = (vec![0; threads], vec![(0, 0); threads]);
        Workload { documents, fields, threads, duration, inserted, swapped }
    }

    /// Executes operations of this kind in all threads until the time has passed.
    ///
    /// # Errors
    ///
    /// The first error of the database.
    pub fn measure(&mut self, kind: Kind) -> Result<Measured> {
        let barrier = Barrier::new(self.threads);
        let workload = &*self;
        let barrier = &barrier;
        let done: Vec<_> = thread::scope(|scope| {
            let workers: Vec<_> = (0..workload.threads)
                .map(|thread| {
                    scope.spawn(move || {
                        barrier.wait();
                        workload.work(kind, thread)
                    })
                })
                .collect();
            let join = |worker: thread::ScopedJoinHandle<'_, _>| {
                worker.join().expect("a worker only returns errors")
            };
            workers.into_iter().map(join).collect::<Result<Vec<_>>>()
        })?;
        let elapsed = done.iter().map(|worker| worker.elapsed).max().unwrap_or_default();
        let operations = done.iter().map(|worker| worker.operations).sum();
        for (thread, worker) in done.iter().enumerate() {
            self.remember(kind, thread, worker.operations);
        }
        Ok(Measured { operations, elapsed })
    }

    fn remember(&mut self, kind: Kind, thread: usize, operations: u64) {
        match kind {
            Kind::Insert => self.inserted[thread] += operations,
            Kind::CompareAndSwap => {
                let count = self.inserted[thread].max(1);
                let (rounds, position) = self.swapped[thread];
                let total = rounds * count + position + operations;
                self.swapped[thread] = (total / count, total % count);
            }
            Kind::Get | Kind::Update => {}
        }
    }

    fn work(&self, kind: Kind, thread: usize) -> Result<Measured> {
        let start = Instant::now();
        let mut operations = 0;
        let mut random = Random(thread as u64);
        loop {
            for _ in 0..CLOCK_EVERY {
                self.one(kind, thread, operations, &mut random)?;
                operations += 1;
            }
            let elapsed = start.elapsed();
            if elapsed >= self.duration {
                return Ok(Measured { operations, elapsed });
            }
        }
    }

    fn one(&self, kind: Kind, thread: usize, operation: u64, random: &mut Random) -> Result<()> {
        let count = self.inserted[thread];
        let id = |number: u64| format!("{thread:04}-{number:010}");
        match kind {
            Kind::Insert => {
                self.documents.insert(id(count + operation), &self.fields)?;
            }
            Kind::Get => {
                let document = self.documents.get(id(random.below(count)))?;
                document.expect("it was inserted before").field("age")?;
            }
            Kind::Update => {
                self.documents.update(id(random.below(count)), object! { "age": operation })?;
            }
            Kind::CompareAndSwap => {
                let (rounds, position) = self.swapped[thread];
                let total = rounds * count + position + operation;
                let (version, id) = (total / count + 1, id(total % count));
                let swap = self.documents.compare_and_swap(&id).version(version);
                let swapped = swap.update(object! { "age": operation })?;
                assert!(swapped.is_applied, "only this thread changes document {id}");
            }
        }
        Ok(())
    }
}

/// SplitMix64: good enough to choose documents, and cheap enough not to affect the measurement.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end.max(1)
    }
}
