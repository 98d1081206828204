//! Stores on disk: VelocityDB and its peers behind one trait, each used as its documentation
//! recommends for the same durability.

use std::path::Path;
use std::sync::Mutex;

use fjall::{KeyspaceCreateOptions, PersistMode};
use redb::{ReadableDatabase, TableDefinition};
use velocitydb::{Consistency, Documents, Mode, Options};

use crate::Result;
use crate::documents::Prepared;

/// When a write is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// When it is on the device.
    EachWrite,
    /// At once; it reaches the device at some time.
    Never,
}

/// A store of documents by id.
pub trait Store: Send + std::marker::Sync {
    /// Inserts a document under a new id, in a transaction of its own.
    fn insert(&self, id: &str, document: &Prepared) -> Result<()>;

    /// Reads a document; returns whether it exists.
    fn get(&self, id: &str) -> Result<bool>;

    /// Inserts many in one transaction.
    fn load(&self, documents: &mut dyn Iterator<Item = (String, &Prepared)>) -> Result<()>;
}

/// The contestants, VelocityDB's modes first.
pub const NAMES: [&str; 5] =
    ["VelocityDB persistent", "VelocityDB hybrid", "fjall", "redb", "SQLite"];

/// VelocityDB's among them.
pub const VELOCITY: [(&str, Mode); 2] = [(NAMES[0], Mode::Persistent), (NAMES[1], Mode::Hybrid)];

/// Opens the store of one contestant in a folder, or creates it.
pub fn open(name: &str, folder: &Path, sync: Sync, cache_bytes: u64) -> Result<Box<dyn Store>> {
    Ok(match name {
        "VelocityDB persistent" => Box::new(velocity(Mode::Persistent, folder, sync, cache_bytes)?),
        "VelocityDB hybrid" => Box::new(velocity(Mode::Hybrid, folder, sync, cache_bytes)?),
        "fjall" => Box::new(Fjall::open(folder, sync, cache_bytes)?),
        "redb" => Box::new(Redb::open(folder, sync, cache_bytes)?),
        "SQLite" => Box::new(Sqlite::open(folder, sync, cache_bytes)?),
        other => return Err(format!("there is no contestant {other:?}").into()),
    })
}

/// A collection of VelocityDB in a folder.
pub fn velocity(mode: Mode, folder: &Path, sync: Sync, budget: u64) -> Result<Documents> {
    let db = Options::new().mode(mode).memory_budget(budget).open(folder)?;
    Ok(db.documents("users").at(match sync {
        Sync::EachWrite => Consistency::Strong,
        Sync::Never => Consistency::Local,
    }))
}

/// VelocityDB encodes the document, the peers get bytes or text that they do not interpret.
impl Store for Documents {
    fn insert(&self, id: &str, document: &Prepared) -> Result<()> {
        self.insert(id, &document.object)?;
        Ok(())
    }

    fn get(&self, id: &str) -> Result<bool> {
        Ok(self.get(id)?.is_some())
    }

    fn load(&self, documents: &mut dyn Iterator<Item = (String, &Prepared)>) -> Result<()> {
        self.insert_many(documents.map(|(id, document)| (id, &document.encoded)))?;
        Ok(())
    }
}

/// A keyspace of fjall.
struct Fjall {
    database: fjall::Database,
    keyspace: fjall::Keyspace,
    sync: Sync,
}

impl Fjall {
    fn open(folder: &Path, sync: Sync, cache_bytes: u64) -> Result<Self> {
        let database = fjall::Database::builder(folder)
            .cache_size(cache_bytes)
            .manual_journal_persist(true)
            .open()?;
        let keyspace = database.keyspace("users", KeyspaceCreateOptions::default)?;
        Ok(Fjall { database, keyspace, sync })
    }

    fn persist(&self) -> Result<()> {
        match self.sync {
            Sync::EachWrite => self.database.persist(PersistMode::SyncData)?,
            Sync::Never => {}
        }
        Ok(())
    }
}

impl Store for Fjall {
    fn insert(&self, id: &str, document: &Prepared) -> Result<()> {
        self.keyspace.insert(id, document.encoded.as_bytes())?;
        self.persist()
    }

    fn get(&self, id: &str) -> Result<bool> {
        Ok(self.keyspace.get(id)?.is_some())
    }

    fn load(&self, documents: &mut dyn Iterator<Item = (String, &Prepared)>) -> Result<()> {
        let mut batch = self.database.batch();
        documents.for_each(|(id, document)| {
            batch.insert(&self.keyspace, id, document.encoded.as_bytes());
        });
        batch.commit()?;
        self.persist()
    }
}

const TABLE: TableDefinition<&str, &[u8]> = TableDefinition::new("users");

/// A table of redb.
struct Redb {
    database: redb::Database,
    durability: redb::Durability,
}

impl Redb {
    fn open(folder: &Path, sync: Sync, cache_bytes: u64) -> Result<Self> {
        let database = redb::Builder::new()
            .set_cache_size(usize::try_from(cache_bytes)?)
            .create(folder.join("redb"))?;
        let durability = match sync {
            Sync::EachWrite => redb::Durability::Immediate,
            Sync::Never => redb::Durability::None,
        };
        Ok(Redb { database, durability })
    }

    fn begin(&self) -> Result<redb::WriteTransaction> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(self.durability)?;
        Ok(transaction)
    }
}

impl Store for Redb {
    fn insert(&self, id: &str, document: &Prepared) -> Result<()> {
        self.load(&mut std::iter::once((id.to_owned(), document)))
    }

    fn get(&self, id: &str) -> Result<bool> {
        Ok(self.database.begin_read()?.open_table(TABLE)?.get(id)?.is_some())
    }

    fn load(&self, documents: &mut dyn Iterator<Item = (String, &Prepared)>) -> Result<()> {
        let transaction = self.begin()?;
        let mut table = transaction.open_table(TABLE)?;
        for (id, document) in documents {
            table.insert(id.as_str(), document.encoded.as_bytes())?;
        }
        drop(table);
        transaction.commit()?;
        Ok(())
    }
}

/// A table of SQLite. All writers share one connection: separate ones would wait for each
/// other by polling.
struct Sqlite(Mutex<rusqlite::Connection>);

const INSERT: &str = "INSERT INTO users (id, body) VALUES (?1, ?2)";

impl Sqlite {
    fn open(folder: &Path, sync: Sync, cache_bytes: u64) -> Result<Self> {
        let connection = rusqlite::Connection::open(folder.join("sqlite"))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(
            None,
            "synchronous",
            match sync {
                Sync::EachWrite => "FULL",
                Sync::Never => "OFF",
            },
        )?;
        connection.pragma_update(None, "cache_size", -i64::try_from(cache_bytes >> 10)?)?;
        connection.execute(
            "CREATE TABLE IF NOT EXISTS users (id TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID",
            (),
        )?;
        Ok(Sqlite(Mutex::new(connection)))
    }

    fn connection(&self) -> std::sync::MutexGuard<'_, rusqlite::Connection> {
        self.0.lock().expect("no thread panics while it holds the connection")
    }
}

impl Store for Sqlite {
    fn insert(&self, id: &str, document: &Prepared) -> Result<()> {
        self.connection().prepare_cached(INSERT)?.execute((id, &document.json))?;
        Ok(())
    }

    fn get(&self, id: &str) -> Result<bool> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached("SELECT body FROM users WHERE id = ?1")?;
        let mut rows = statement.query((id,))?;
        Ok(rows.next()?.map(|row| row.get::<_, String>(0)).transpose()?.is_some())
    }

    fn load(&self, documents: &mut dyn Iterator<Item = (String, &Prepared)>) -> Result<()> {
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        {
            let mut statement = transaction.prepare_cached(INSERT)?;
            for (id, document) in documents {
                statement.execute((&id, &document.json))?;
            }
        }
        transaction.commit()?;
        Ok(())
    }
}
