//! Measuring rates: operations per second, of one thread or several.

use std::fs;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::Result;

/// What is measured while a single thread works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// Time.
    Wall,
    /// The thread's processor time. For work that never waits, on a busy machine.
    Processor,
}

impl Clock {
    /// Operations per second; `operate` is one operation on an item.
    pub fn rate<T>(
        self,
        items: impl IntoIterator<Item = T>,
        mut operate: impl FnMut(T) -> Result<()>,
    ) -> Result<f64> {
        let (start, start_on_processor) = (Instant::now(), time_on_processor()?);
        let mut count = 0u64;
        for item in items {
            operate(item)?;
            count += 1;
        }
        let passed = match self {
            Clock::Wall => start.elapsed(),
            Clock::Processor => time_on_processor()? - start_on_processor,
        };
        Ok(count as f64 / passed.as_secs_f64())
    }
}

/// The processor time of this thread, with the system's resolution of a few milliseconds.
fn time_on_processor() -> Result<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = text.split(' ').next().unwrap_or_default();
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}

/// Operations per second of several threads that start together; each gets its number, and returns
/// how many operations it has done.
pub fn rate_of_threads(threads: usize, work: impl Fn(usize) -> Result<u64> + Sync) -> Result<f64> {
    let start_line = Barrier::new(threads + 1);
    let run = |number| {
        start_line.wait();
        work(number)
    };
    let run = &run;
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|number| scope.spawn(move || run(number))).collect();
        start_line.wait();
        let start = Instant::now();
        let counts =
            workers.into_iter().map(|worker| worker.join().expect("workers report errors"));
        let count = counts.sum::<Result<u64>>()?;
        Ok(count as f64 / start.elapsed().as_secs_f64())
    })
}

/// Operations per second of several threads during a fixed time; each operation has a number of its
/// own. The first quarter is not counted: threads and the memory that they allocate warm up in it.
pub fn rate_during(
    duration: Duration,
    threads: usize,
    operate: impl Fn(u64) -> Result<()> + Sync,
) -> Result<f64> {
    let (next, counted) = (AtomicU64::new(0), AtomicU64::new(0));
    let (is_warm, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
    let work = || {
        let mut count = 0;
        while !is_over.load(Ordering::Relaxed) {
            operate(next.fetch_add(1, Ordering::Relaxed))?;
            count += u64::from(is_warm.load(Ordering::Relaxed));
        }
        counted.fetch_add(count, Ordering::Relaxed);
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        thread::sleep(duration / 4);
        let start = Instant::now();
        is_warm.store(true, Ordering::Relaxed);
        thread::sleep(duration);
        is_over.store(true, Ordering::Relaxed);
        let passed = start.elapsed();
        let mut ends = workers.into_iter().map(|one| one.join().expect("workers report errors"));
        ends.try_for_each(|end: Result<()>| end)?;
        Ok(counted.load(Ordering::Relaxed) as f64 / passed.as_secs_f64())
    })
}

/// The result of `measure` while another thread calls `disturb` repeatedly, with the numbers from
/// 0.
pub fn beside<T>(
    disturb: impl Fn(u64) -> Result<()> + Sync,
    measure: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let (is_over, start_line) = (AtomicBool::new(false), Barrier::new(2));
    thread::scope(|scope| {
        let disturber = scope.spawn(|| {
            start_line.wait();
            let mut numbers = (0..).take_while(|_| !is_over.load(Ordering::Relaxed));
            numbers.try_for_each(&disturb)
        });
        start_line.wait();
        let found = measure();
        is_over.store(true, Ordering::Relaxed);
        disturber.join().expect("the disturber reports errors")?;
        found
    })
}
