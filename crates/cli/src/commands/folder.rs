//! Opening the data folder that the command line names.

use velocitydb::{Database, Documents, Mode, Options};

use crate::allocator;
use crate::args::{Folder, Target, WriteOptions};
use crate::exit::{Failure, Result};

impl Folder {
    /// Opens the folder, which has to exist: a misspelt path must not become an empty database.
    pub fn open_existing(&self) -> Result<Database> {
        if !self.path.exists() {
            return Err(Failure::NoFolder { path: self.path.clone() });
        }
        self.open_or_create()
    }

    /// Opens the folder, and makes it when it does not exist.
    pub fn open_or_create(&self) -> Result<Database> {
        if matches!(self.mode, Mode::Hybrid | Mode::Persistent) {
            allocator::keep_to_a_budget();
        }
        Ok(Options::new().mode(self.mode).open(&self.path)?)
    }
}

impl Target {
    /// The collection, to be read or written at the level that was asked for.
    pub fn documents(&self, db: &Database) -> Documents {
        db.documents(&self.collection).at(self.consistency)
    }
}

impl WriteOptions {
    /// The collection, to be written in this way.
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
