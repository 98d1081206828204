//! Arbitrary bytes as what an answer says: read or refused, and what is read is sent on as the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use velocitydb_core::wire::Wire;
use velocitydb_core::{Error, Outcome};

fuzz_target!(|data: &[u8]| {
    sent_on::<Outcome>(data);
    sent_on::<Error>(data);
});

fn sent_on<T: Wire + PartialEq + std::fmt::Debug>(mut data: &[u8]) {
    let Some(read) = T::take(&mut data) else { return };
    let mut bytes = Vec::new();
    read.put(&mut bytes);
    assert_eq!(T::take(&mut &bytes[..]), Some(read));
}
