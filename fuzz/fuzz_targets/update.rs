//! An arbitrary update of an arbitrary document: it never panics; it does the same thing twice,
//! after a trip through bytes, and to the encoded document; and what it makes of the document can
//! be encoded or is refused.

#![no_main]

use arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;
use velocitydb_core::{Encoded, Object, RawObject, Result, Time, Update};

fuzz_target!(|data: &[u8]| {
    let mut input = Unstructured::new(data);
    let (Ok(document), Ok(update)) =
        (velocitydb_fuzz::object(&mut input), velocitydb_fuzz::update(&mut input))
    else {
        return;
    };
    let Ok(update) = Update::from_object(update) else { return };
    let mut bytes = Vec::new();
    update.encode_into(&mut bytes).expect("it is within the limits");
    let decoded = Update::decode(&bytes).expect("it was just encoded");
    assert_eq!(decoded.to_object(), update.to_object());

    let first = applied(&update, &document);
    for again in [applied(&update, &document), applied(&decoded, &document)] {
        match (&first, &again) {
            (Ok(first), Ok(again)) => assert!(first.is_identical(again)),
            (Err(_), Err(_)) => {}
            _ => panic!("{first:?} and then {again:?}"),
        }
    }
    let before = Encoded::from_object(&document).expect("it is within the limits");
    let in_place = update.apply_encoded(before.view(), Time::UNIX_EPOCH);
    match (first.and_then(|updated| Encoded::from_object(&updated)), in_place) {
        (Ok(encoded), Ok(in_place)) => {
            RawObject::validate(encoded.as_bytes()).expect("it was just encoded");
            assert_eq!(encoded, in_place);
        }
        (Err(_), Err(_)) => {}
        (decoded, in_place) => panic!("{decoded:?}, but in place {in_place:?}"),
    }
});

fn applied(update: &Update, document: &Object) -> Result<Object> {
    let mut document = document.clone();
    update.apply(&mut document, Time::UNIX_EPOCH)?;
    Ok(document)
}
