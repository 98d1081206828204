//! [`Wire`]: encoding and decoding the parts of an answer.
//!
//! ```text
//! number   LEB128
//! text     its length, UTF-8
//! option   0, or 1 and the value
//! list     its length, the values
//! enum     a tag (1 byte) and the parts of the variant, in their order
//! ```
//!
//! Decoding accepts untrusted bytes: it never panics, and uses memory only in proportion to the input.

mod answers;

use std::borrow::Cow;

use crate::{CollectionName, DocumentId, IndexName, Path, RequestId, decode_varint, encode_varint};

/// A part of an answer that can be encoded.
pub trait Wire: Sized {
    /// Appends the bytes.
    fn put(&self, out: &mut Vec<u8>);

    /// Reads the value from the start of `bytes`, and moves `bytes` past it; `None` when they are not
    /// valid.
    fn take(bytes: &mut &[u8]) -> Option<Self>;
}

/// Appends bytes, preceded by their length.
pub fn put_bytes(value: &[u8], out: &mut Vec<u8>) {
    encode_varint(value.len() as u64, out);
    out.extend_from_slice(value);
}

/// Takes bytes that are preceded by their length.
pub fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::take(bytes)?;
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

/// Takes a text that is preceded by its length.
pub fn take_text<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    std::str::from_utf8(take_bytes(bytes)?).ok()
}

/// Takes the tag of an enum.
pub fn take_tag(bytes: &mut &[u8]) -> Option<u8> {
    let (&tag, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(tag)
}

/// Encodes and decodes an enum: each variant with its tag, and its parts in the order of their bytes. Every
/// variant has to be listed, unless `else` says how the others are encoded.
#[macro_export]
#[doc(hidden)]
macro_rules! wire_enum {
    ($type:ident {
        $($tag:literal $variant:ident $({ $($field:ident),* })? $(( $($item:ident),* ))?;)*
        $(else $other:expr)?
    }) => {
        impl $crate::wire::Wire for $type {
            fn put(&self, out: &mut Vec<u8>) {
                match self {
                    $($type::$variant $({ $($field),* })? $(( $($item),* ))? => {
                        out.push($tag);
                        $($($crate::wire::Wire::put($field, out);)*)?
                        $($($crate::wire::Wire::put($item, out);)*)?
                    })*
                    $(_ => $other,)?
                }
            }

            fn take(bytes: &mut &[u8]) -> Option<Self> {
                Some(match $crate::wire::take_tag(bytes)? {
                    $($tag => $type::$variant
                        $({ $($field: $crate::wire::Wire::take(bytes)?),* })?
                        $(( $({ let $item = $crate::wire::Wire::take(bytes)?; $item }),* ))?,)*
                    _ => return None,
                })
            }
        }
    };
}

macro_rules! wire_number {
    ($($number:ty),*) => {$(
        impl Wire for $number {
            fn put(&self, out: &mut Vec<u8>) {
                encode_varint(*self as u64, out);
            }

            fn take(bytes: &mut &[u8]) -> Option<Self> {
                decode_varint(bytes)?.try_into().ok()
            }
        }
    )*};
}

wire_number!(u8, u32, u64, usize);

macro_rules! wire_text {
    ($($text:ty, $read:expr;)*) => {$(
        impl Wire for $text {
            fn put(&self, out: &mut Vec<u8>) {
                put_bytes(self.as_str().as_bytes(), out);
            }

            fn take(bytes: &mut &[u8]) -> Option<Self> {
                $read(take_text(bytes)?)
            }
        }
    )*};
}

wire_text! {
    String, |text: &str| Some(text.to_owned());
    CollectionName, |text| CollectionName::new(text).ok();
    IndexName, |text| IndexName::new(text).ok();
    RequestId, |text| RequestId::new(text).ok();
}

impl Wire for DocumentId {
    fn put(&self, out: &mut Vec<u8>) {
        put_bytes(self.as_bytes(), out);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        DocumentId::from_bytes(take_bytes(bytes)?).ok()
    }
}

impl Wire for Cow<'static, str> {
    fn put(&self, out: &mut Vec<u8>) {
        put_bytes(self.as_bytes(), out);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        String::take(bytes).map(Cow::Owned)
    }
}

impl Wire for Path {
    fn put(&self, out: &mut Vec<u8>) {
        put_bytes(self.to_string().as_bytes(), out);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        take_text(bytes)?.parse().ok()
    }
}

impl Wire for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        match take_tag(bytes)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        self.iter().for_each(|value| value.put(out));
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        if bool::take(bytes)? { T::take(bytes).map(Some) } else { Some(None) }
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.len().put(out);
        self.iter().for_each(|value| value.put(out));
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        // No capacity is reserved, since the length is untrusted.
        let mut values = Vec::new();
        for _ in 0..usize::take(bytes)? {
            values.push(T::take(bytes)?);
        }
        Some(values)
    }
}

impl<A: Wire, B: Wire> Wire for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        Some((A::take(bytes)?, B::take(bytes)?))
    }
}
