//! [`IntoFields`]: what can be given as the fields of a document.

use velocitydb_core::{Encoded, Object};

use crate::Result;

/// What can be given as the fields of a document. For types of your own, use a typed
/// [`Collection`](crate::Collection) or [`Encoded::from_serialize`].
pub trait IntoFields {
    /// The encoded fields.
    ///
    /// # Errors
    ///
    /// When they are outside of the limits of a document.
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
