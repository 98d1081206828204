//! A PostgreSQL cluster of its own, in a temporary folder, without a network: started for a suite,
//! stopped and deleted when it is dropped.
//!
//! PostgreSQL refuses to run as root. If the bench runs as root, the folder and the processes
//! belong to the user `postgres`, or `nobody`.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use postgres::{Client, Config, NoTls};
use tempfile::TempDir;

use crate::Result;
use crate::arguments::Arguments;

/// The role of all connections.
const ROLE: &str = "bench";

/// All pages fit into shared buffers, sorts and groups into `work_mem`, and a run ends before a
/// checkpoint is due. All other settings are PostgreSQL's defaults: `fsync` and
/// `synchronous_commit` are on.
const SETTINGS: &str = "
listen_addresses = ''
shared_buffers = 1GB
effective_cache_size = 4GB
work_mem = 64MB
maintenance_work_mem = 512MB
max_wal_size = 16GB
checkpoint_timeout = 1h
wal_level = minimal
max_wal_senders = 0
random_page_cost = 1.1
max_connections = 100
";

/// The longest time that starting and stopping may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The folder of the programs, or why there is none.
pub fn find(told: Option<&Path>) -> std::result::Result<PathBuf, String> {
    let is_there =
        |folder: &Path| folder.join("postgres").exists() && folder.join("initdb").exists();
    if let Some(folder) = told {
        return match is_there(folder) {
            true => Ok(folder.to_owned()),
            false => Err(format!("no PostgreSQL in {}", folder.display())),
        };
    }
    let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    versions
        .sort_by_key(|path| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok()));
    let packaged = versions.into_iter().rev().map(|version| version.join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = packaged
        .chain([PathBuf::from("/usr/local/pgsql/bin"), PathBuf::from("/usr/pgsql/bin")])
        .chain(std::env::split_paths(&path));
    usual.into_iter().find(|folder| is_there(folder)).ok_or_else(|| "not installed".to_owned())
}

/// The version that the programs report.
pub fn version(programs: &Path) -> Option<String> {
    let output = Command::new(programs.join("postgres")).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().rsplit_once(") ")?.1.to_owned())
}

/// A running server. Stopped before its folder is deleted.
pub struct Cluster {
    programs: PathBuf,
    owner: Option<Owner>,
    server: Child,
    folder: TempDir,
    schemas: AtomicU64,
}

/// The owner of the server's processes and files, if it is not the user who runs this.
#[derive(Debug, Clone, Copy)]
struct Owner {
    user: u32,
    group: u32,
}

impl Cluster {
    /// The cluster of a suite, or why there is none.
    pub fn of(arguments: &Arguments) -> Result<std::result::Result<Self, String>> {
        Ok(match find(arguments.postgres.as_deref()) {
            Ok(programs) => Ok(Self::start(&programs, &arguments.folder)?),
            Err(why) => Err(why),
        })
    }

    /// Creates a cluster in a folder of its own within `folder`, and starts it.
    pub fn start(programs: &Path, folder: &Path) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("postgres-").tempdir_in(folder)?;
        let owner = owner(folder.path())?;
        if let Some(owner) = owner {
            chown(folder.path(), Some(owner.user), Some(owner.group))?;
        }
        let data = folder.path().join("data");
        let initialised = command(programs, "initdb", owner, folder.path())
            .args(["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"])
            .args(["--username", ROLE, "--pgdata"])
            .arg(&data)
            .output()?;
        if !initialised.status.success() {
            let said = String::from_utf8_lossy(&initialised.stderr);
            return Err(format!("initdb failed: {said}").into());
        }
        let settings = data.join("postgresql.conf");
        let socket = format!("unix_socket_directories = '{}'\n", folder.path().display());
        fs::write(&settings, fs::read_to_string(&settings)? + SETTINGS + &socket)?;
        let server = command(programs, "postgres", owner, folder.path())
            .arg("-D")
            .arg(&data)
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.path().join("log"))?)
            .spawn()?;
        let programs = programs.to_owned();
        let mut cluster = Cluster { programs, owner, server, folder, schemas: AtomicU64::new(0) };
        cluster.wait_until_it_answers()?;
        Ok(cluster)
    }

    fn wait_until_it_answers(&mut self) -> Result<()> {
        let start = Instant::now();
        loop {
            let error = match self.session().connect(NoTls) {
                Ok(_) => return Ok(()),
                Err(error) => error,
            };
            let is_dead = self.server.try_wait()?.is_some();
            if is_dead || start.elapsed() > PATIENCE {
                let log = fs::read_to_string(self.folder.path().join("log"))?;
                return Err(format!("PostgreSQL does not start: {error}\n{log}").into());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn session(&self) -> Config {
        let mut config = Config::new();
        config.host_path(self.folder.path()).user(ROLE).dbname("postgres");
        config
    }

    /// A schema of its own.
    pub fn schema(&self) -> Result<Schema> {
        let name = format!("s{}", self.schemas.fetch_add(1, Ordering::Relaxed));
        let mut session = self.session();
        session.connect(NoTls)?.batch_execute(&format!("CREATE SCHEMA {name}"))?;
        session.options(&format!("-c search_path={name} -c client_min_messages=warning"));
        Ok(Schema { session, name })
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let stopped = command(&self.programs, "pg_ctl", self.owner, self.folder.path())
            .args(["stop", "--silent", "--mode=immediate", "--pgdata"])
            .arg(self.folder.path().join("data"))
            .status();
        if !stopped.is_ok_and(|status| status.success()) {
            // Its children notice by themselves that it is gone.
            let _ = self.server.kill();
        }
        let _ = self.server.wait();
    }
}

/// A schema, and how to connect to it. Dropped with all of its tables.
pub struct Schema {
    session: Config,
    name: String,
}

impl Schema {
    /// A connection for which the tables of the schema need no qualification.
    pub fn connect(&self) -> Result<Client> {
        Ok(self.session.connect(NoTls)?)
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        if let Ok(mut client) = self.connect() {
            let _ = client.batch_execute(&format!("DROP SCHEMA {} CASCADE", self.name));
        }
    }
}

fn command(programs: &Path, program: &str, owner: Option<Owner>, folder: &Path) -> Command {
    let mut command = Command::new(programs.join(program));
    command.current_dir(folder).stdin(Stdio::null());
    if let Some(owner) = owner {
        command.uid(owner.user).gid(owner.group);
    }
    command
}

/// The owner of the server, if it must not be this user: if `folder`, which this user has created,
/// belongs to root.
fn owner(folder: &Path) -> Result<Option<Owner>> {
    use std::os::unix::fs::MetadataExt;
    if fs::metadata(folder)?.uid() != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let owner = ["postgres", "nobody"].into_iter().find_map(|name| user(&users, name));
    owner.map(Some).ok_or_else(|| "root cannot run PostgreSQL, and there is no user nobody".into())
}

/// A user of `/etc/passwd`.
fn user(users: &str, name: &str) -> Option<Owner> {
    let mut fields = users.lines().map(|line| line.split(':'));
    let mut fields = fields.find(|fields| fields.clone().next() == Some(name))?.skip(2);
    Some(Owner { user: fields.next()?.parse().ok()?, group: fields.next()?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_their_whole_name() {
        let users = "root:x:0:0::/:/bin/sh\npostgres2:x:7:8::/:\npostgres:x:101:104:a:/:/bin/sh\n";
        let owner = user(users, "postgres").unwrap();
        assert_eq!((owner.user, owner.group), (101, 104));
        assert!(user(users, "nobody").is_none());
    }

    #[test]
    fn a_cluster_leaves_nothing_behind() {
        let Ok(programs) = find(None) else { return };
        let folder = tempfile::tempdir().unwrap();
        let cluster = Cluster::start(&programs, folder.path()).unwrap();
        let schema = cluster.schema().unwrap();
        schema.connect().unwrap().batch_execute("CREATE TABLE t (id int)").unwrap();
        drop(schema);
        let left = "SELECT count(*) FROM pg_tables WHERE tablename = 't'";
        let mut client = cluster.session().connect(NoTls).unwrap();
        assert_eq!(client.query_one(left, &[]).unwrap().get::<_, i64>(0), 0);
        drop(cluster);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_without_programs_is_named() {
        assert_eq!(find(Some(Path::new("/nowhere"))).unwrap_err(), "no PostgreSQL in /nowhere");
    }
}
