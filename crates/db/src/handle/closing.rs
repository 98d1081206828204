//! Closing a database: makes acknowledged writes durable and releases the folder, or says what still uses
//! it.

use std::sync::Arc;

use super::database::{Database, Inner};
use crate::{Error, Result};

impl Database {
    /// Closes the database: makes everything that was acknowledged as durable as the mode can make it, as
    /// [`sync`](Self::sync) does, and releases the folder, which can be opened again once this has
    /// succeeded. Dropping the last handle does the same, but can report a failure only on standard error.
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
    /// When acknowledged writes are not on the disk; the error says how much is missing and why. Writing
    /// them is tried again when the last handle is dropped. [`Error::InUse`] when they are on the disk and
    /// other handles, snapshots or cursors use the database; it closes with the last of them.
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
