//! Stores a UUID of another crate as binary of subtype 4 instead of as text, for `#[serde(with)]`.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use velocitydb_core::{Encoded, object};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Order {
//!     #[serde(with = "velocitydb_core::uuid_binary")]
//!     customer: uuid::Uuid,
//! }
//!
//! let order = Order { customer: uuid::Uuid::from_u128(7) };
//! let stored = Encoded::from_serialize(&order)?;
//! let expected: velocitydb_core::Uuid = "00000000-0000-0000-0000-000000000007".parse()?;
//! assert_eq!(stored.to_object()?, object! { "customer": expected });
//! assert_eq!(stored.deserialize::<Order>()?.customer, order.customer);
//! # Ok::<(), velocitydb_core::Error>(())
//! ```

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use crate::Uuid;

/// Serializes 16 bytes as a UUID; another number of bytes is an error.
pub fn serialize<T: AsRef<[u8]>, S: Serializer>(id: &T, serializer: S) -> Result<S::Ok, S::Error> {
    let bytes: [u8; 16] =
        id.as_ref().try_into().map_err(|_| ser::Error::custom("a UUID has 16 bytes"))?;
    Uuid::from(bytes).serialize(serializer)
}

/// Deserializes a UUID as a type that is made of 16 bytes.
pub fn deserialize<'de, T: TryFrom<Vec<u8>>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    let id = Uuid::deserialize(deserializer)?;
    T::try_from(id.as_bytes().to_vec()).map_err(|_| de::Error::custom("it is not a UUID"))
}
