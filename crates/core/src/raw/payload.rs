//! Reading the payloads of scalars: as many bytes as their type says, and not more.

use super::RawValue;
use crate::container::ensure;
use crate::{BinaryRef, Decimal, Error, ForeignKind, ObjectId, RawForeign, Result, Time};

impl<'a> RawValue<'a> {
    #[inline]
    pub(super) fn payload(self) -> &'a [u8] {
        self.encoded.get(1..).unwrap_or_default()
    }

    /// The payload of a type whose payload is eight bytes.
    #[inline]
    pub(super) fn eight(self) -> Result<[u8; 8]> {
        self.payload().try_into().map_err(|_| Error::corrupt("a number or time is not 8 bytes"))
    }

    #[inline]
    pub(super) fn int(self) -> Result<i64> {
        let payload = self.payload();
        ensure(payload.len() <= 8, "an integer is longer than 8 bytes")?;
        let sign = if payload.last().is_some_and(|byte| *byte >= 0x80) { -1 } else { 0 };
        Ok(payload.iter().rev().fold(sign, |value, byte| value << 8 | i64::from(*byte)))
    }

    pub(super) fn object_id(self) -> Result<ObjectId> {
        let bytes: Result<[u8; 12], _> = self.payload().try_into();
        bytes.map(ObjectId::from).map_err(|_| Error::corrupt("an ObjectId is not 12 bytes"))
    }

    pub(super) fn decimal(self) -> Result<Decimal> {
        let Some((head, digits)) = self.payload().split_first_chunk() else {
            return Err(Error::corrupt("a decimal is cut off"));
        };
        let shortest = digits.last() != Some(&0) && digits.len() <= 15;
        ensure(shortest, "a decimal is longer than it needs to be")?;
        let mut coefficient = [0; 16];
        coefficient[..digits.len()].copy_from_slice(digits);
        Decimal::from_head(u16::from_le_bytes(*head), u128::from_le_bytes(coefficient))
            .ok_or(Error::corrupt("a decimal is beyond its ranges"))
    }

    pub(super) fn binary(self) -> Result<BinaryRef<'a>> {
        match self.payload() {
            [0, ..] => Err(Error::corrupt("bytes of no subtype have one")),
            [subtype, bytes @ ..] => Ok(BinaryRef { subtype: *subtype, bytes }),
            [] => Err(Error::corrupt("binary has no subtype")),
        }
    }

    pub(super) fn foreign_kind(self) -> Result<ForeignKind> {
        let kind = self.payload().first().copied().and_then(ForeignKind::from_code);
        kind.ok_or(Error::corrupt("a value has an unknown type"))
    }

    pub(super) fn foreign(self) -> Result<RawForeign<'a>> {
        Ok(RawForeign::new(self.foreign_kind()?, self.payload().get(1..).unwrap_or_default()))
    }

    pub(super) fn time(self) -> Result<Time> {
        Time::from_micros(i64::from_le_bytes(self.eight()?))
            .map_err(|_| Error::corrupt("a time is outside of the years 0001 to 9999"))
    }
}
