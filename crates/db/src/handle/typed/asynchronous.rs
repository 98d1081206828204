//! Writes of a typed collection that return at once.

use std::time::Duration;

use serde::Serialize;
use velocitydb_core::{IntoDocumentId, Time, Update};

use crate::handle::fields::AsFields;
use crate::{Collection, Proposed, Written};

impl<T> Collection<T> {
    /// Changes some fields of a document. See [`Documents::update_async`](crate::Documents::update_async).
    ///
    /// # Errors
    ///
    /// As for [`update`](Self::update).
    pub fn update_async(
        &self,
        id: impl IntoDocumentId,
        update: impl Into<Update>,
    ) -> Proposed<Written> {
        self.untyped().update_async(id, update)
    }

    /// Deletes a document. See [`Documents::delete_async`](crate::Documents::delete_async).
    ///
    /// # Errors
    ///
    /// As for [`delete`](Self::delete).
    pub fn delete_async(&self, id: impl IntoDocumentId) -> Proposed<Written> {
        self.untyped().delete_async(id)
    }

    /// Completes claimed work. See [`Documents::complete_async`](crate::Documents::complete_async).
    ///
    /// # Errors
    ///
    /// As for [`complete`](Self::complete).
    pub fn complete_async(
        &self,
        id: impl IntoDocumentId,
        version: u64,
        update: impl Into<Update>,
    ) -> Proposed<u64> {
        self.untyped().complete_async(id, version, update)
    }

    /// Extends the lease on claimed work. See [`Documents::renew_async`](crate::Documents::renew_async).
    ///
    /// # Errors
    ///
    /// As for [`renew`](Self::renew).
    pub fn renew_async(
        &self,
        id: impl IntoDocumentId,
        version: u64,
        duration: Duration,
    ) -> Proposed<u64> {
        self.untyped().renew_async(id, version, duration)
    }

    /// Gives claimed work back. See [`Documents::release_async`](crate::Documents::release_async).
    ///
    /// # Errors
    ///
    /// As for [`release`](Self::release).
    pub fn release_async(&self, id: impl IntoDocumentId, version: u64) -> Proposed<u64> {
        self.untyped().release_async(id, version)
    }

    /// Gives claimed work back, to be tried again at a later time. See
    /// [`Documents::retry_async`](crate::Documents::retry_async).
    ///
    /// # Errors
    ///
    /// As for [`retry`](Self::retry).
    pub fn retry_async(
        &self,
        id: impl IntoDocumentId,
        version: u64,
        not_before: Time,
        reason: &str,
    ) -> Proposed<u64> {
        self.untyped().retry_async(id, version, not_before, reason)
    }
}

impl<T: Serialize> Collection<T> {
    /// Creates a document. See [`Documents::insert_async`](crate::Documents::insert_async).
    ///
    /// # Errors
    ///
    /// As for [`insert`](Self::insert).
    pub fn insert_async(&self, id: impl IntoDocumentId, value: &T) -> Proposed<Written> {
        self.untyped().insert_async(id, AsFields(value))
    }

    /// Creates a document under a new id. See [`Documents::insert_new_async`](crate::Documents::insert_new_async).
    ///
    /// # Errors
    ///
    /// As for [`insert_new`](Self::insert_new).
    pub fn insert_new_async(&self, value: &T) -> Proposed<Written> {
        self.untyped().insert_new_async(AsFields(value))
    }

    /// Replaces a document. See [`Documents::replace_async`](crate::Documents::replace_async).
    ///
    /// # Errors
    ///
    /// As for [`replace`](Self::replace).
    pub fn replace_async(&self, id: impl IntoDocumentId, value: &T) -> Proposed<Written> {
        self.untyped().replace_async(id, AsFields(value))
    }

    /// Creates or replaces a document. See [`Documents::upsert_async`](crate::Documents::upsert_async).
    ///
    /// # Errors
    ///
    /// As for [`upsert`](Self::upsert).
    pub fn upsert_async(&self, id: impl IntoDocumentId, value: &T) -> Proposed<Written> {
        self.untyped().upsert_async(id, AsFields(value))
    }
}
