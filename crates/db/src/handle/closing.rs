//! Closing a database: what was acknowledged is made durable, and the folder is let go, or it is said
//! what holds it.

use std::sync::Arc;

use super::database::{Database, Inner};
use crate::{Error, Result};

impl Database {
    /// Closes the database: makes everything that was acknowledged as durable as the mode can make it,
    /// as [`sync`](Self::sync) does, and lets go of the folder, which can be opened again when this
    /// has succeeded. Dropping the last handle does the same, but has no way to say what could not be
    /// written than a line on standard error.
    ///
    /// ```
    /// # fn main() -> velocitydb::Result<()> {
    /// let db = velocitydb::open_in_memory()?;
    /// let users = db.documents("users");
    /// let error = db.close().unwrap_err();
    /// assert!(matches!(error, velocitydb::Error::InUse { handles: 1, snapshots: 0 }));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When something that was acknowledged is not on the disk, with how much that is and why: it is
    /// tried once more when the last handle goes. [`Error::InUse`] when everything is, and the
    /// database stays open since other handles, snapshots or cursors hold it; it closes with the last
    /// of them.
    pub fn close(self) -> Result<()> {
        self.engine().close()?;
        let handles = Arc::strong_count(&self.inner) - 1;
        let Some(Inner { _maintenance: maintenance, core }) = Arc::into_inner(self.inner) else {
            return Err(Error::InUse { handles, snapshots: 0 });
        };
        drop(maintenance);
        let engine = core.engine.clone();
        drop(core);
        match engine.stats().snapshots_open {
            0 => Ok(()),
            snapshots => Err(Error::InUse { handles: 0, snapshots }),
        }
    }
}
