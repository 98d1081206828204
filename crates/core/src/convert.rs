//! Values from and to any Rust type, through serde, and the ids that can be a part of such types.
//! They are converted through the encoding, as documents are, so that times, bytes and integers of 64
//! bits are preserved.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer as AnySerializer, de};

use crate::codec::encode_value_into;
use crate::encoder::append;
use crate::format::Names;
use crate::serializer::Serializer;
use crate::{
    CollectionName, DocumentId, Encoded, IndexName, Object, RawValue, RequestId, Result, Value,
};

impl Value {
    /// Converts any Rust value that serializes.
    ///
    /// ```
    /// use velocitydb_core::{Update, Value, value};
    ///
    /// #[derive(serde::Serialize)]
    /// struct Address {
    ///     city: &'static str,
    /// }
    ///
    /// let address = Value::from_serialize(&Address { city: "Bonn" })?;
    /// assert_eq!(address, value!({ "city": "Bonn" }));
    /// let update = Update::new().set("address", address);
    /// # Ok::<(), velocitydb_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Serde`](crate::Error::Serde) and the like when it does not fit the document model.
    pub fn from_serialize<T: Serialize + ?Sized>(value: &T) -> Result<Self> {
        let mut bytes = Vec::new();
        append(&mut bytes, Names::Document, |encoder| value.serialize(Serializer::new(encoder)))?;
        RawValue::new(&bytes)?.to_value()
    }

    /// The value as a Rust type.
    ///
    /// # Errors
    ///
    /// [`Error::Serde`](crate::Error::Serde) when it does not fit the type.
    pub fn to<T: DeserializeOwned>(&self) -> Result<T> {
        let mut bytes = Vec::new();
        encode_value_into(self, &mut bytes)?;
        RawValue::new(&bytes)?.deserialize()
    }
}

impl Object {
    /// Converts a Rust value that serializes as an object: a struct, or a map with text keys.
    ///
    /// # Errors
    ///
    /// As for [`Value::from_serialize`], and when it is not an object.
    pub fn from_serialize<T: Serialize + ?Sized>(value: &T) -> Result<Self> {
        Encoded::from_serialize(value)?.to_object()
    }

    /// The object as a Rust type.
    ///
    /// # Errors
    ///
    /// As for [`Value::to`].
    pub fn to<T: DeserializeOwned>(&self) -> Result<T> {
        Encoded::from_object(self)?.deserialize()
    }
}

/// A name is a string in every format, and is checked when it is deserialized.
macro_rules! as_text {
    ($($name:ty),*) => {$(
        impl Serialize for $name {
            fn serialize<S: AnySerializer>(
                &self,
                serializer: S,
            ) -> std::result::Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(
                deserializer: D,
            ) -> std::result::Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                <$name>::new(text.as_str()).map_err(de::Error::custom)
            }
        }

        impl From<&$name> for Value {
            fn from(name: &$name) -> Self {
                Value::from(name.as_str())
            }
        }

        impl From<$name> for Value {
            fn from(name: $name) -> Self {
                Value::from(name.as_str())
            }
        }
    )*};
}

as_text!(CollectionName, IndexName, RequestId);

impl Serialize for DocumentId {
    fn serialize<S: AnySerializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self.as_str() {
            Some(text) => serializer.serialize_str(text),
            None => self.to_value().serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for DocumentId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        DocumentId::new(Value::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{Bytes, Time, object, value};

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Job {
        id: DocumentId,
        of: CollectionName,
        at: Time,
        key: Bytes,
        big: u64,
        tags: BTreeMap<String, Option<f64>>,
    }

    fn job() -> Job {
        Job {
            id: DocumentId::new("job/1").unwrap(),
            of: CollectionName::new("jobs").unwrap(),
            at: Time::from_micros(1_795_425_300_250_000).unwrap(),
            key: Bytes(vec![0, 255]),
            big: u64::MAX,
            tags: [("a".to_owned(), Some(1.0)), ("b".to_owned(), None)].into(),
        }
    }

    #[test]
    fn values_come_back_as_they_went_in() {
        let object = Object::from_serialize(&job()).unwrap();
        assert!(object["at"].is_identical(&Value::Time(job().at)));
        assert!(object["key"].is_identical(&Value::Bytes(vec![0, 255])));
        assert_eq!(object["id"], "job/1".into());
        assert_eq!(object.to::<Job>().unwrap(), job());
        let value = Value::from_serialize(&[job()]).unwrap();
        assert_eq!(value.to::<Vec<Job>>().unwrap(), [job()]);
        for value in [value!(null), value!(1), value!("x"), value!([1.5, true])] {
            assert!(Value::from_serialize(&value).unwrap().is_identical(&value));
        }
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        assert!(Object::from_serialize(&1).is_err(), "it is no object");
        assert!(Value::from_serialize(&BTreeMap::from([(vec![1], 1)])).is_err());
        assert!(Value::from_serialize(&u128::MAX).is_err());
        assert!(value!("a").to::<u8>().is_err());
        let mut deep = value!(1);
        for _ in 0..200 {
            deep = value!([deep]);
        }
        assert!(Value::from_serialize(&deep).is_err() && deep.to::<Value>().is_err());
    }

    #[test]
    fn names_are_checked_when_they_are_read() {
        let error = object! { "id": "" }.to::<BTreeMap<String, DocumentId>>().unwrap_err();
        assert!(error.to_string().contains("it is empty"), "{error}");
        let json = serde_json::to_string(&DocumentId::new("a").unwrap()).unwrap();
        assert_eq!(json, r#""a""#);
        assert!(serde_json::from_str::<CollectionName>(r#""_system""#).is_err());
        assert!(serde_json::from_str::<RequestId>(r#""""#).is_err());
        assert_eq!(Value::from(&DocumentId::new("a").unwrap()), "a".into());
    }
}
