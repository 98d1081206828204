//! Measuring rates: operations per second, of one thread or several.

use std::collections::VecDeque;
use std::fs;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::Result;

/// How long threads work before they are measured. Each has a heap of its own, whose first pages the kernel
/// has to clear, 2 MiB at a time where it gives huge ones: 64 threads are busy with that for a while.
const WARM_UP: Duration = Duration::from_millis(500);

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
/// own. What comes in the [`WARM_UP`] before that is not counted.
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
        thread::sleep(WARM_UP);
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

/// Operations per second of one thread that has many in flight and waits for the oldest; each has a number
/// of its own. What comes in the [`WARM_UP`] before that is not counted.
pub fn rate_in_flight<F: Future<Output = Result<()>>>(
    duration: Duration,
    in_flight: usize,
    propose: impl Fn(u64) -> F,
) -> Result<f64> {
    let mut numbers = 0..;
    let mut proposed: VecDeque<_> = numbers.by_ref().take(in_flight).map(&propose).collect();
    let mut run = |duration: Duration| -> Result<f64> {
        let (start, mut count) = (Instant::now(), 0);
        while start.elapsed() < duration {
            wait(proposed.pop_front().expect("some are in flight"))?;
            proposed.extend(numbers.next().map(&propose));
            count += 1;
        }
        Ok(f64::from(count) / start.elapsed().as_secs_f64())
    };
    run(WARM_UP)?;
    let rate = run(duration)?;
    proposed.into_iter().try_for_each(wait)?;
    Ok(rate)
}

/// Waits for a future on this thread.
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
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
