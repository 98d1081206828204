//! Arbitrary bytes as a command: what can be read is written again as the same bytes. The same bytes
//! as a recipe for a command: it comes back, and never panics when it is damaged.

#![no_main]

use arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;
use velocitydb_core::{Body, Command};

fuzz_target!(|data: &[u8]| {
    decoded(data);
    let mut input = Unstructured::new(data);
    let Ok(command) = velocitydb_fuzz::command(&mut input) else { return };
    let mut bytes = Vec::new();
    if command.encode_into(&mut bytes).is_err() {
        return;
    }
    let back = Command::decode(&bytes).expect("it was just encoded");
    assert_eq!(back, command);
    assert_eq!(print(&back.body), print(&command.body));
    while let Ok((at, byte)) = input.arbitrary::<(u16, u8)>() {
        let at = usize::from(at) % bytes.len();
        bytes[at] = byte;
        decoded(&bytes);
        decoded(&bytes[..at]);
        if input.is_empty() {
            break;
        }
    }
});

fn decoded(data: &[u8]) {
    if let Ok(command) = Command::decode(data) {
        let mut again = Vec::new();
        command.encode_into(&mut again).expect("what was decoded can be encoded");
        assert_eq!(again, data);
    }
}

fn print(body: &Body) -> u128 {
    body.fingerprint().expect("it can be encoded")
}
