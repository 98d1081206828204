//! [`migrate`]: brings a data folder of the format before to the one of this version.
//!
//! ```text
//!  format 5 ──▶ convert commits what differs ──▶ fsync ──▶ the marker is renamed: format 6
//! ```
//!
//! A crash before the last step leaves a folder of the old format, some of whose content may have been
//! converted: it is migrated again. What a format differs in is known to the caller, whose keys and
//! values they are.

use super::engine::Lsm;
use super::marker::{FORMAT_BEFORE, Marker};
use super::options::LsmOptions;
use crate::{Engine, Error};

/// Migrates the data folder, if it has the format before this one: `convert` changes its content, and
/// then its format is raised. `convert` has to leave alone what is converted already, and to commit
/// nothing if it fails.
///
/// Any other folder is left as it is: opening it says what is wrong with it.
///
/// # Errors
///
/// What `convert` returns, and failures of storage. The folder has its old format then.
pub fn migrate<E: From<Error>>(
    options: LsmOptions,
    convert: impl FnOnce(&dyn Engine) -> Result<(), E>,
) -> Result<(), E> {
    let is_before = |marker: &Marker| marker.format == FORMAT_BEFORE;
    if !Marker::read_known(&options.path).is_ok_and(|marker| marker.as_ref().is_some_and(is_before))
    {
        return Ok(());
    }
    let engine = Lsm::open_known(options)?;
    // Another process may have been faster.
    if !engine.is_current() {
        convert(&engine)?;
        engine.raise_format()?;
    }
    Ok(engine.close()?)
}
