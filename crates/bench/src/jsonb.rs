//! JSON in PostgreSQL's binary format, in which a JSONB is one byte and its text: the client does
//! not parse it.

use std::error::Error;
use std::result::Result;

use bytes::BytesMut;
use postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

/// The first byte.
const VERSION: u8 = 1;

/// JSON that is sent to the server.
#[derive(Debug)]
pub struct JsonIn<'a>(pub &'a str);

impl ToSql for JsonIn<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(&[VERSION]);
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::JSONB
    }

    to_sql_checked!();
}

/// JSON that is received.
pub struct JsonOut<'a>(pub &'a [u8]);

impl<'a> FromSql<'a> for JsonOut<'a> {
    fn from_sql(_: &Type, bytes: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let json = bytes.strip_prefix(&[VERSION]);
        json.map(JsonOut).ok_or_else(|| "a JSONB of an unknown version".into())
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::JSONB
    }
}
