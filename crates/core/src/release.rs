//! [`Release`]: the update of a document when its lease expires.

use crate::document::{decode_varint, encode_varint};
use crate::limits::RELEASE_CHOICES_MAX;
use crate::{DocumentView, Error, Filter, Object, Result, Update};

/// The update of a document when its lease expires: the first of several updates whose filter the
/// document matches, or none.
///
/// ```
/// use velocitydb_core::{Release, object};
///
/// // A job waits again, until it has been tried three times.
/// let release = Release::when(object! { "attempts": { "$lt": 3 } }, object! { "state": "waiting" })
///     .or(object! { "state": "dead" });
/// release.check()?;
/// # Ok::<(), velocitydb_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Release {
    /// In order.
    choices: Vec<(Filter, Update)>,
}

impl Release {
    /// This update, unconditionally.
    pub fn new(update: impl Into<Update>) -> Self {
        Self::when(Filter::all(), update)
    }

    /// This update, if the document matches the filter.
    pub fn when(filter: impl Into<Filter>, update: impl Into<Update>) -> Self {
        Release { choices: vec![(filter.into(), update.into())] }
    }

    /// If no earlier filter matches: this update, if the document matches the filter.
    pub fn or_when(mut self, filter: impl Into<Filter>, update: impl Into<Update>) -> Self {
        self.choices.push((filter.into(), update.into()));
        self
    }

    /// If no earlier filter matches: this update.
    pub fn or(self, update: impl Into<Update>) -> Self {
        self.or_when(Filter::all(), update)
    }

    /// The updates, each with its filter, in order.
    pub fn choices(&self) -> &[(Filter, Update)] {
        &self.choices
    }

    /// The first mistake in it, if any.
    ///
    /// # Errors
    ///
    /// When a filter or an update is invalid, or there are more than
    /// [`RELEASE_CHOICES_MAX`] of them.
    pub fn check(&self) -> Result<()> {
        if self.choices.len() > RELEASE_CHOICES_MAX {
            return Err(Error::LimitExceeded {
                what: "number of updates for the end of one lease".into(),
                path: String::new(),
                found: self.choices.len(),
                max: RELEASE_CHOICES_MAX,
            });
        }
        self.choices.iter().try_for_each(|(filter, update)| filter.check().and(update.check()))
    }

    /// The update for this document, if any.
    ///
    /// # Errors
    ///
    /// As for [`Filter::matches`].
    pub fn choose(&self, document: &DocumentView<'_>) -> Result<Option<&Update>> {
        for (filter, update) in &self.choices {
            if filter.matches(document)? {
                return Ok(Some(update));
            }
        }
        Ok(None)
    }

    /// Appends it as canonical bytes, for a log or a state.
    ///
    /// # Errors
    ///
    /// As for [`check`](Self::check).
    pub fn encode_into(&self, buffer: &mut Vec<u8>) -> Result<()> {
        self.check()?;
        encode_varint(self.choices.len() as u64, buffer);
        let mut part = Vec::new();
        for (filter, update) in &self.choices {
            for is_filter in [true, false] {
                part.clear();
                match is_filter {
                    true => filter.encode_into(&mut part)?,
                    false => update.encode_into(&mut part)?,
                }
                encode_varint(part.len() as u64, buffer);
                buffer.extend_from_slice(&part);
            }
        }
        Ok(())
    }

    /// An upper bound of the bytes that [`encode_into`](Self::encode_into) appends, without encoding
    /// them if it is known.
    pub(crate) fn encoded_length_max(&self) -> Result<usize> {
        self.check()?;
        let lengths = self.choices.iter().map(|(filter, update)| {
            let parts = filter.encoded_length_max()? + update.encoded_length_max()?;
            Ok(parts + 2 * size_of::<u64>())
        });
        Ok(lengths.sum::<Result<usize>>()? + size_of::<u64>())
    }

    /// Reads what [`Release::encode_into`] wrote, checking all of it, and moves `bytes` past it.
    ///
    /// # Errors
    ///
    /// When the bytes are not valid.
    pub fn decode(bytes: &mut &[u8]) -> Result<Self> {
        const MALFORMED: Error = Error::corrupt("what is done at the end of a lease is malformed");
        let count = decode_varint(bytes).filter(|count| *count <= RELEASE_CHOICES_MAX as u64);
        let mut choices = Vec::new();
        for _ in 0..count.ok_or(MALFORMED)? {
            let filter = Filter::decode(take_part(bytes).ok_or(MALFORMED)?)?;
            choices.push((filter, Update::decode(take_part(bytes).ok_or(MALFORMED)?)?));
        }
        Ok(Release { choices })
    }
}

fn take_part<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(decode_varint(bytes)?).ok()?;
    let (part, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(part)
}

impl From<Update> for Release {
    fn from(update: Update) -> Self {
        Self::new(update)
    }
}

impl From<Object> for Release {
    /// The update of [`Update::from_object`], unconditionally.
    fn from(fields: Object) -> Self {
        Self::new(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::IdRef;
    use crate::{Header, RawObject, Time, object};

    fn choose(release: &Release, fields: Object) -> Option<Object> {
        let encoded = crate::Encoded::from_object(&fields).unwrap();
        let time = Time::UNIX_EPOCH;
        let header =
            Header { version: 1, created: time, modified: time, expires: None, lease: None };
        let fields = RawObject::new(encoded.as_bytes()).unwrap();
        let view = DocumentView { id: IdRef::of_text("a"), header, fields };
        release.choose(&view).unwrap().map(Update::to_object)
    }

    #[test]
    fn the_first_that_holds_is_chosen_and_survives_the_round_trip() {
        let release = Release::when(object! { "n": { "$lt": 3 } }, object! { "state": "waiting" })
            .or_when(object! { "n": 3 }, object! { "state": "last" });
        let all = release.clone().or(object! { "state": "dead" });
        let set = |state: &str| Some(object! { "$set": { "state": state } });
        let mut bytes = Vec::new();
        for (release, otherwise) in [(release, None), (all, set("dead"))] {
            bytes.clear();
            release.encode_into(&mut bytes).unwrap();
            let decoded = Release::decode(&mut &bytes[..]).unwrap();
            assert_eq!(decoded, release);
            assert_eq!(choose(&decoded, object! { "n": 2 }), set("waiting"));
            assert_eq!(choose(&decoded, object! { "n": 3 }), set("last"));
            assert_eq!(choose(&decoded, object! { "n": 4 }), otherwise);
            for length in 0..bytes.len() {
                assert!(Release::decode(&mut &bytes[..length]).is_err());
            }
        }
    }

    #[test]
    fn it_is_bounded_and_its_mistakes_are_reported() {
        let fields = || object! { "a": 1 };
        let many = (0..RELEASE_CHOICES_MAX).fold(Release::new(fields()), |one, _| one.or(fields()));
        assert!(matches!(many.check(), Err(Error::LimitExceeded { .. })));
        assert!(Release::new(Update::new().set("a", 1).inc("a", 1)).check().is_err());
    }
}
