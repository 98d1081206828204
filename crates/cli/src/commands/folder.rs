//! Opens and closes the data folder that the command line names.

use std::sync::{Mutex, PoisonError};

use velocitydb::{CollectionName, Database, Documents, Error, Mode, Options, StorageError};

use crate::allocator;
use crate::args::{Folder, Target, WriteOptions};
use crate::failure::{Failure, Result};

impl Folder {
    /// Opens the folder, which has to exist: a misspelt path must not become an empty database.
    pub fn open_existing(&self) -> Result<Database> {
        self.ensure_existing()?;
        self.open_or_create()
    }

    /// Opens the folder, and creates it when it does not exist.
    pub fn open_or_create(&self) -> Result<Database> {
        Ok(self.open(self.options())?)
    }

    /// Opens the folder, which has to exist, for a command that only reads. Nothing is written to it, unless
    /// it is of a format that is migrated when it is opened.
    pub fn open_to_read(&self) -> Result<Database> {
        self.ensure_existing()?;
        match self.open(self.options().read_only()) {
            Err(Error::Storage(StorageError::Format { .. })) => self.open_or_create(),
            db => Ok(db?),
        }
    }

    fn ensure_existing(&self) -> Result {
        match self.path.exists() {
            true => Ok(()),
            false => Err(Failure::NoFolder { path: self.path.clone() }),
        }
    }

    fn options(&self) -> Options {
        Options::new().mode(self.mode).wait(self.patience.wait)
    }

    fn open(&self, options: Options) -> velocitydb::Result<Database> {
        if matches!(self.mode, Mode::Hybrid | Mode::Persistent) {
            allocator::keep_to_a_budget();
        }
        let db = options.open(&self.path)?;
        opened().push(db.clone());
        Ok(db)
    }
}

/// The databases that the command has opened.
static OPENED: Mutex<Vec<Database>> = Mutex::new(Vec::new());

fn opened() -> std::sync::MutexGuard<'static, Vec<Database>> {
    OPENED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Closes what the command has opened, after it has ended. Then everything it reported as
/// written is on the disk, or this returns an error.
pub fn close() -> Result {
    let databases = std::mem::take(&mut *opened());
    let closed: Vec<_> = databases.into_iter().map(Database::close).collect();
    Ok(closed.into_iter().collect::<velocitydb::Result<()>>()?)
}

impl Target {
    /// The collection, at the requested level. A write may create it.
    pub fn documents(&self, db: &Database) -> Documents {
        db.documents(&self.collection).at(self.consistency)
    }

    /// The collection, at the requested level. It has to exist.
    pub fn existing(&self, db: &Database) -> Result<Documents> {
        Ok(existing(db, &self.collection)?.at(self.consistency))
    }
}

/// A collection, which has to exist: a misspelt name must not look like an empty collection.
pub fn existing(db: &Database, name: &str) -> Result<Documents> {
    if !db.has_collection(name)? {
        let names: Vec<_> = db.collections()?.into_iter().map(|stats| stats.name).collect();
        let nearest = nearest(name, names.iter().map(CollectionName::as_str));
        let (collection, nearest) = (name.to_owned(), nearest.map(str::to_owned));
        return Err(Failure::NoCollection { collection, nearest });
    }
    Ok(db.documents(name))
}

/// The name that was probably meant, if one is similar.
fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    /// How similar names are that differ in a letter or two.
    const SIMILARITY_MIN: f64 = 0.8;
    let similar = names.map(|other| (strsim::jaro_winkler(name, other), other));
    let similar = similar.filter(|(similarity, _)| *similarity >= SIMILARITY_MIN);
    similar.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, other)| other)
}

impl WriteOptions {
    /// The collection, with these options of writes.
    pub fn apply(&self, mut documents: Documents) -> Documents {
        if let Some(expiry) = self.time_to_live {
            documents = documents.expiring(expiry);
        }
        if let Some(request) = &self.request_id {
            documents = documents.request(request.clone());
        }
        documents
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_is_recognised() {
        let names = ["users", "user_sessions", "orders"];
        for (name, expected) in [
            ("user", Some("users")),
            ("Users", Some("users")),
            ("usres", Some("users")),
            ("order", Some("orders")),
            ("payments", None),
            ("x", None),
        ] {
            assert_eq!(nearest(name, names.into_iter()), expected, "{name}");
        }
    }
}
