//! [`IntoFields`]: what can be given as the fields of a document.

use serde::Serialize;
use velocitydb_core::{Action, Condition, Encoded, LeaseChange, Object, check_own_fields};

use crate::{Error, Result};

/// What can be given as the fields of a document, without `_id` and `_meta`, which belong to the
/// database. For types of your own, use a typed [`Collection`](crate::Collection) or
/// [`Encoded::from_serialize`].
pub trait IntoFields {
    /// The encoded fields.
    ///
    /// # Errors
    ///
    /// When they exceed the limits of a document.
    fn into_fields(self) -> Result<Encoded>;
}

impl IntoFields for Object {
    fn into_fields(self) -> Result<Encoded> {
        Ok(Encoded::from_object(&self)?)
    }
}

impl IntoFields for &Object {
    fn into_fields(self) -> Result<Encoded> {
        Ok(Encoded::from_object(self)?)
    }
}

impl IntoFields for Encoded {
    fn into_fields(self) -> Result<Encoded> {
        Ok(self)
    }
}

impl IntoFields for &Encoded {
    fn into_fields(self) -> Result<Encoded> {
        Ok(self.clone())
    }
}

/// A value of the caller's type as the fields of a document.
pub(crate) struct AsFields<'a, T>(pub(crate) &'a T);

impl<T: Serialize> IntoFields for AsFields<'_, T> {
    fn into_fields(self) -> Result<Encoded> {
        Encoded::from_serialize(self.0).map_err(Error::from)
    }
}

/// Checks an action before it is submitted, so that a mistake is reported by the call that makes it: fields
/// that the database maintains must not be given, and updates must be valid.
pub(crate) fn check_action(action: &Action) -> Result<()> {
    match action {
        Action::Insert(fields)
        | Action::InsertNew(fields)
        | Action::Replace(fields)
        | Action::Upsert(fields) => Ok(check_own_fields(fields.view())?),
        Action::Import(fields, origin) => {
            check_own_fields(fields.view())?;
            Ok(origin.check()?)
        }
        Action::Settle(fields, change) => {
            check_own_fields(fields.view())?;
            match change {
                LeaseChange::Begin(begun) => Ok(begun.lease.release.check()?),
                LeaseChange::End | LeaseChange::Renew(_) => Ok(()),
            }
        }
        Action::Update(update) | Action::Complete(update) | Action::Retry(update) => {
            Ok(update.check()?)
        }
        Action::Delete | Action::Renew(_) | Action::Release | Action::Compare => Ok(()),
    }
}

/// Checks a condition. It must not name fields that the database maintains, since stored documents do not
/// have them.
pub(crate) fn check_condition(condition: &Condition) -> Result<()> {
    match condition {
        Condition::Matches(filter) => Ok(filter.check()?),
        Condition::Document(fields) => Ok(check_own_fields(fields.view())?),
        Condition::Always | Condition::Absent | Condition::Version(_) | Condition::Fields(_) => {
            Ok(())
        }
    }
}
