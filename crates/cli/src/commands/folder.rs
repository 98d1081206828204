//! Opens and closes the data folder that the command line names.

use std::sync::{Mutex, PoisonError};

use velocitydb::{Database, Documents, Mode, Options};

use crate::allocator;
use crate::args::{Folder, Target, WriteOptions};
use crate::failure::{Failure, Result};

impl Folder {
    /// Opens the folder, which has to exist: a misspelt path must not become an empty database.
    pub fn open_existing(&self) -> Result<Database> {
        if !self.path.exists() {
            return Err(Failure::NoFolder { path: self.path.clone() });
        }
        self.open_or_create()
    }

    /// Opens the folder, and creates it when it does not exist.
    pub fn open_or_create(&self) -> Result<Database> {
        if matches!(self.mode, Mode::Hybrid | Mode::Persistent) {
            allocator::keep_to_a_budget();
        }
        let db = Options::new().mode(self.mode).open(&self.path)?;
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
    /// The collection, at the requested level.
    pub fn documents(&self, db: &Database) -> Documents {
        db.documents(&self.collection).at(self.consistency)
    }
}

impl WriteOptions {
    /// The collection, with these options of writes.
    pub fn apply(&self, mut documents: Documents) -> Documents {
        if let Some(duration) = self.time_to_live {
            documents = documents.time_to_live(duration);
        }
        if let Some(request) = &self.request_id {
            documents = documents.request(request.clone());
        }
        documents
    }
}
