//! Applying an update to encoded fields: untouched fields are copied.

use smallvec::SmallVec;

use super::operation::{Operation, Update};
use crate::encoder::Container;
use crate::encoder::append;
use crate::format::Names;
use crate::{Encoded, Object, RawObject, Result, Time};

/// The names of top-level fields, sorted.
type FieldNames<'a> = SmallVec<[&'a str; 8]>;

impl Update {
    /// Applies the update to encoded fields. The same as decoding them, [`apply`](Self::apply),
    /// and encoding the result, but only the top-level fields that it touches are decoded.
    ///
    /// ```
    /// use velocitydb_core::{Encoded, Time, Update, object};
    ///
    /// let user = Encoded::from_object(&object! { "name": "Alice", "age": 28 })?;
    /// let older = Update::new().inc("age", 1).apply_encoded(user.view(), Time::UNIX_EPOCH)?;
    /// assert_eq!(older.to_object()?, object! { "name": "Alice", "age": 29 });
    /// # Ok::<(), velocitydb_core::Error>(())
    /// ```
    pub fn apply_encoded(&self, fields: RawObject<'_>, now: Time) -> Result<Encoded> {
        let touched = self.touched();
        let mut changed = Object::with_capacity(touched.len());
        for name in &touched {
            if let Some(value) = fields.get(name)? {
                changed.insert(*name, value.to_value()?);
            }
        }
        self.apply(&mut changed, now)?;
        merge(fields, &touched, &changed)
    }

    /// The top-level fields that it may change or read.
    fn touched(&self) -> FieldNames<'_> {
        let places = self.operations.iter().flat_map(Operation::places);
        let mut names: FieldNames<'_> = places.map(|path| path.segments()[0].name()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// The fields, with the touched ones replaced by `changed`: in their places, the new ones last.
fn merge(fields: RawObject<'_>, touched: &[&str], changed: &Object) -> Result<Encoded> {
    let mut bytes = Vec::with_capacity(fields.as_encoded().len() + 64);
    append(&mut bytes, Names::Document, |encoder| {
        encoder.begin(Container::Object)?;
        let (mut found, mut kept) = (0, 0);
        for field in fields.iter() {
            let (name, value) = field?;
            if touched.binary_search(&name).is_err() {
                encoder.key(name)?;
                encoder.encoded(value.as_encoded())?;
                kept += 1;
            } else if let Some(value) = changed.get(name) {
                encoder.key(name)?;
                encoder.value(value)?;
                found += 1;
            }
        }
        // The update has appended the new ones to those that it found.
        for (name, value) in changed.iter().skip(found) {
            encoder.key(name)?;
            encoder.value(value)?;
        }
        // Those that were there are in the order in which they were, unless one was removed.
        let known = if found + kept == fields.len() { fields.ranks() } else { SmallVec::new() };
        encoder.end_in_order(&known)
    })?;
    Encoded::from_trusted(bytes)
}
