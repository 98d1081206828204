//! The measured machine: its processor, memory, disk, load, and the versions of the
//! contestants.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde::Serialize;

use crate::arguments::Arguments;
use crate::{Result, cluster};

/// The properties of the machine on which the numbers depend.
#[derive(Debug, Serialize)]
pub struct Machine {
    /// The processor's name.
    pub processor: String,
    /// How many cores it has.
    pub cores: usize,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// The median time of appending 4 KiB to a file and an fsync, in microseconds.
    pub fsync_us: f64,
    /// The load average of the last minute before the run.
    pub load: f64,
    /// The compiler.
    pub compiler: String,
    /// The contestants with their versions.
    pub versions: Vec<(&'static str, String)>,
}

const LOCK: &str = include_str!("../../../Cargo.lock");

const CONTESTANTS: [&str; 7] =
    ["velocitydb", "papaya", "fjall", "redb", "rusqlite", "postgres", "mimalloc"];

impl Machine {
    /// Reads the properties of this machine; the disk is that of the data folders.
    pub fn look(arguments: &Arguments) -> Result<Self> {
        let processors = fs::read_to_string("/proc/cpuinfo")?;
        let memory = fs::read_to_string("/proc/meminfo")?;
        let load = fs::read_to_string("/proc/loadavg")?;
        let compiler = Command::new("rustc").arg("--version").output();
        let compiler = compiler.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        let mut versions: Vec<_> =
            CONTESTANTS.into_iter().filter_map(|name| Some((name, version(LOCK, name)?))).collect();
        versions.push(("SQLite", rusqlite::version().to_owned()));
        let server = cluster::find(arguments.postgres.as_deref()).ok();
        let server = server.and_then(|programs| cluster::version(&programs));
        versions.extend(server.map(|version| ("PostgreSQL", version)));
        Ok(Machine {
            processor: field(&processors, "model name").unwrap_or("unknown").to_owned(),
            cores: std::thread::available_parallelism()?.get(),
            memory_bytes: kilobytes(&memory, "MemTotal").unwrap_or(0),
            fsync_us: fsync_us(&arguments.folder)?,
            load: load.split(' ').next().unwrap_or_default().parse()?,
            compiler: compiler.unwrap_or_default().trim().to_owned(),
            versions,
        })
    }
}

/// The resident memory of this process, and its peak, in bytes.
pub fn resident_bytes() -> Result<(u64, u64)> {
    let status = fs::read_to_string("/proc/self/status")?;
    let now =
        kilobytes(&status, "VmRSS").ok_or("the system does not report the resident memory")?;
    Ok((now, kilobytes(&status, "VmHWM").unwrap_or(now)))
}

/// The value of a line `name : value`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let fields = text.lines().filter_map(|line| line.split_once(':'));
    fields.map(|(found, value)| (found.trim(), value.trim())).find(|it| it.0 == name).map(|it| it.1)
}

/// The bytes of a line `name : number kB`.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let number = field(text, name)?.strip_suffix(" kB")?.parse::<u64>().ok()?;
    Some(number << 10)
}

/// The version of a package in a lock file.
fn version(lock: &str, name: &str) -> Option<String> {
    let name = format!("name = \"{name}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name).skip(1);
    Some(lines.next()?.strip_prefix("version = \"")?.strip_suffix('"')?.to_owned())
}

fn fsync_us(folder: &Path) -> Result<f64> {
    const TIMES: usize = 101;
    let mut file = tempfile::tempfile_in(folder)?;
    let mut times = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        file.write_all(&[7; 4096])?;
        let start = Instant::now();
        file.sync_data()?;
        times.push(start.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[TIMES / 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_says_what_is_asked() {
        let (now, most) = resident_bytes().unwrap();
        assert!(0 < now && now <= most);
        assert_eq!(kilobytes("A: 1 kB\nVmHWM:\t  12 kB\n", "VmHWM"), Some(12 << 10));
    }

    #[test]
    fn every_contestant_has_a_version() {
        for name in CONTESTANTS {
            assert!(version(LOCK, name).is_some(), "{name}");
        }
    }
}
