//! Numbers in keys: exponent and mantissa, written and read. [`key`](super) draws their bytes.

use super::{Direction, NEGATIVE, POSITIVE, Reader, invert};
use crate::container::ensure;
use crate::decimal::Sign;
use crate::magnitude::Magnitude;
use crate::{Error, Result, Value};

/// Makes the exponents of floats positive. The smallest one is -1074.
pub(super) const BIAS: i32 = 1075;
/// The exponent of infinity, with the bias.
const INFINITE: u16 = 2099;
/// The exponents of floats.
const FLOATS: std::ops::RangeInclusive<i32> = -1074..=1023;
/// The exponent of numbers below all floats, with the bias.
const SMALL: u16 = 0;
/// Makes the exponents of those positive.
const SMALL_BIAS: i32 = 1 << 15;
/// The exponent of the largest floats, and of numbers above them, with the bias.
const LARGE: u16 = 2098;
/// What is written of a mantissa at the most, and what the numbers above all floats have there.
const MANTISSA_BYTES_MAX: usize = Magnitude::FRACTION_BITS as usize / 7;
const FULL: [u8; MANTISSA_BYTES_MAX] = [u8::MAX; MANTISSA_BYTES_MAX];
/// What follows a mantissa of that many bytes: further bits, or the exponent of a large number.
const FURTHER: u8 = 0x00;
const BEYOND: u8 = 0xff;

/// Appends the component of a number other than zero and NaN.
pub(super) fn append(number: Magnitude, negative: bool, key: &mut Vec<u8>) {
    key.push(if negative { NEGATIVE } else { POSITIVE });
    let start = key.len();
    if FLOATS.contains(&number.exponent) {
        key.extend_from_slice(&((number.exponent + BIAS) as u16).to_be_bytes());
    } else {
        append_far_exponent(number, key);
    }
    // The highest bit is always set, and is not written.
    let mut bits = number.mantissa << 1;
    let mut more = true;
    for _ in 0..MANTISSA_BYTES_MAX {
        let byte = (bits >> 120) as u8 & 0xfe;
        bits <<= 7;
        more = bits != 0 || number.more;
        key.push(byte | u8::from(more));
        if !more {
            break;
        }
    }
    if more {
        key.push(FURTHER);
    }
    if negative {
        invert(&mut key[start..], Direction::Descending);
    }
}

/// Appends the exponent of a number that is beyond those of floats.
fn append_far_exponent(number: Magnitude, key: &mut Vec<u8>) {
    if number == Magnitude::INFINITY {
        key.extend_from_slice(&INFINITE.to_be_bytes());
    } else if number.exponent < 0 {
        key.extend_from_slice(&SMALL.to_be_bytes());
        key.extend_from_slice(&((number.exponent + SMALL_BIAS) as u16).to_be_bytes());
    } else {
        key.extend_from_slice(&LARGE.to_be_bytes());
        key.extend_from_slice(&FULL);
        key.push(BEYOND);
        key.extend_from_slice(&(number.exponent as u16).to_be_bytes());
    }
}

impl Reader<'_> {
    /// The rest of a number's component behind its first byte, as a value.
    pub(super) fn number(&mut self, sign: Sign) -> Result<Value> {
        let inverted = if sign == Sign::Minus { 0xff } else { 0x00 };
        let number = self.magnitude(inverted)?;
        number.to_value(sign).ok_or(Error::corrupt("a key has a number that no type holds"))
    }

    /// Exponent and mantissa of a number.
    pub(super) fn magnitude(&mut self, inverted: u8) -> Result<Magnitude> {
        let exponent = self.exponent(inverted)?;
        let far = match exponent {
            SMALL => i32::from(self.exponent(inverted)?) - SMALL_BIAS,
            INFINITE => i32::MAX,
            exponent => i32::from(exponent) - BIAS,
        };
        let (mantissa, end) = self.mantissa(inverted)?;
        if exponent != LARGE || end != Some(BEYOND) {
            let ends = matches!(end, None | Some(FURTHER));
            let is_near = match exponent {
                SMALL => far < *FLOATS.start(),
                INFINITE => true,
                _ => FLOATS.contains(&far),
            };
            ensure(ends && is_near, "a key has a number out of place")?;
            return Ok(Magnitude { exponent: far, mantissa, more: end.is_some() });
        }
        let is_full = mantissa << 1 == u128::MAX << 2;
        let exponent = i32::from(self.exponent(inverted)?);
        let (mantissa, end) = self.mantissa(inverted)?;
        let ends = matches!(end, None | Some(FURTHER));
        ensure(is_full && ends && exponent > *FLOATS.end(), "a key has a number out of place")?;
        Ok(Magnitude { exponent, mantissa, more: end.is_some() })
    }

    fn exponent(&mut self, inverted: u8) -> Result<u16> {
        Ok(u16::from_be_bytes(self.bytes::<2>()?.map(|byte| byte ^ inverted)))
    }

    /// The bits of a mantissa, and the byte that follows them if they do not end.
    fn mantissa(&mut self, inverted: u8) -> Result<(u128, Option<u8>)> {
        let (mut mantissa, mut shift) = (Magnitude::ONE, 127);
        for _ in 0..MANTISSA_BYTES_MAX {
            let byte = self.byte()? ^ inverted;
            shift -= 7;
            mantissa |= u128::from(byte >> 1) << shift;
            if byte & 1 == 0 {
                return Ok((mantissa, None));
            }
        }
        Ok((mantissa, Some(self.byte()? ^ inverted)))
    }
}
