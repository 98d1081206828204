//! The ids that the naive model gives to new documents.

use velocitydb::{NewIds, ObjectId, Uuid, Value};

use super::id::Id;
use super::state::State;

impl State {
    /// The id that the collection makes of a generated one.
    pub fn new_id(&self, collection: &str, generated: &Id) -> Id {
        let Some(found) = self.collections.get(collection) else { return generated.clone() };
        let parts = || generated_parts(generated);
        match found.ids {
            NewIds::Text => generated.clone(),
            NewIds::Uuid => Id::new(Uuid::from(parts().to_be_bytes())),
            NewIds::Integer => Id::new(found.highest + 1),
            NewIds::ObjectId => {
                // The seconds; the milliseconds, and as many random bits as there is room for.
                let (millis, random) = (parts() >> 80, parts() % (1 << 54));
                let id = ((millis / 1_000) << 64) | ((millis % 1_000) << 54) | random;
                let bytes: [u8; 12] = id.to_be_bytes()[4..].try_into().unwrap();
                Id::new(ObjectId::from(bytes))
            }
        }
    }
}

/// The bits of a generated id, a UUID as text.
fn generated_parts(id: &Id) -> u128 {
    let Value::String(text) = id.written() else { unreachable!("{id} is not generated") };
    u128::from_str_radix(&text.replace('-', ""), 16).unwrap()
}
