//! What this process has of the system: memory, threads, file descriptors, time on processors.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::Result;
use crate::machine::resident_bytes;

/// How the names of VelocityDB's threads begin.
const PREFIX: &str = "velocitydb-";

/// As many bytes of a thread's name as the system keeps.
const NAME_BYTES_MAX: usize = 15;

/// What the process has at one time.
#[derive(Debug)]
pub struct Usage {
    /// Its resident memory.
    pub resident_bytes: u64,
    /// Its threads but the main one.
    pub threads: Threads,
    /// Its open file descriptors.
    pub descriptors: u64,
    /// The time on a processor that its living threads have had.
    pub on_processor: Duration,
}

/// The names of threads, as far as the system keeps them.
#[derive(Debug)]
pub struct Threads(Vec<String>);

impl Usage {
    /// Reads it now.
    pub fn now() -> Result<Self> {
        let (mut names, mut on_processor) = (Vec::new(), 0);
        for task in fs::read_dir("/proc/self/task")? {
            let task = task?;
            // A thread may end meanwhile.
            let Ok((name, nanoseconds)) = read(&task.path()) else { continue };
            on_processor += nanoseconds;
            if task.file_name() != *std::process::id().to_string() {
                names.push(name);
            }
        }
        Ok(Usage {
            resident_bytes: resident_bytes()?.0,
            threads: Threads(names),
            descriptors: fs::read_dir("/proc/self/fd")?.count() as u64,
            on_processor: Duration::from_nanos(on_processor),
        })
    }
}

/// The name of a thread, and its nanoseconds on a processor.
fn read(task: &Path) -> Result<(String, u64)> {
    let name = fs::read_to_string(task.join("comm"))?.trim_end().to_owned();
    let times = fs::read_to_string(task.join("schedstat"))?;
    Ok((name, times.split(' ').next().unwrap_or_default().parse()?))
}

impl Threads {
    /// How many are VelocityDB's.
    pub fn own(&self) -> usize {
        self.0.iter().filter(|name| name.starts_with(PREFIX)).count()
    }

    /// How many are others'.
    pub fn foreign(&self) -> usize {
        self.0.len() - self.own()
    }

    /// How many have this name.
    pub fn named(&self, name: &str) -> usize {
        let kept = &name[..name.len().min(NAME_BYTES_MAX)];
        self.0.iter().filter(|it| *it == kept).count()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    #[test]
    fn threads_are_counted_by_name() {
        let names = ["velocitydb-main", "velocitydb-sync", "velocitydb-sync", "fjall:worker"];
        let threads = Threads(names.map(str::to_owned).to_vec());
        assert_eq!((threads.own(), threads.foreign()), (3, 1));
        assert_eq!(threads.named("velocitydb-syncer"), 2);
        assert_eq!(threads.named("fjall:worker"), 1);
        assert_eq!(threads.named("fjall"), 0);
    }

    #[test]
    fn the_system_says_what_a_process_has() {
        let (release, released) = mpsc::channel::<()>();
        let thread = thread::Builder::new().name("velocitydb-counted".to_owned());
        // It runs until the other end is gone.
        let thread = thread.spawn(move || released.recv()).unwrap();
        // A thread names itself when it starts.
        while Usage::now().unwrap().threads.named("velocitydb-counted") == 0 {
            thread::yield_now();
        }
        let usage = Usage::now().unwrap();
        assert_eq!(usage.threads.named("velocitydb-counted"), 1);
        assert!(usage.resident_bytes > 0 && usage.descriptors > 0);
        assert!(usage.on_processor > Duration::ZERO);
        drop(release);
        thread.join().unwrap().unwrap_err();
    }
}
