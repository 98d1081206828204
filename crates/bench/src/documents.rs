//! The stored data: ids, and realistic documents of about 200 bytes and 2 kilobytes of JSON.

use std::ops::Range;

use serde::Serialize;
use velocitydb::{Encoded, Object};

use crate::Result;
use crate::random::Random;

/// How large a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// 8 fields, about 200 bytes of JSON.
    Small,
    /// 22 fields, about 2 kilobytes of JSON.
    Large,
}

impl Size {
    /// Both, the small one first.
    pub const ALL: [Size; 2] = [Size::Small, Size::Large];

    /// Bytes of JSON, about.
    pub fn bytes(self) -> usize {
        match self {
            Size::Small => 200,
            Size::Large => 2000,
        }
    }

    /// For titles.
    pub fn name(self) -> &'static str {
        match self {
            Size::Small => "200-byte documents",
            Size::Large => "2-kilobyte documents",
        }
    }
}

/// A document as a Rust value. The field `revision` starts at 0.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Record {
    /// A small one.
    User(User),
    /// A large one.
    Profile(Box<Profile>),
}

/// 8 fields.
#[derive(Debug, Clone, Serialize)]
pub struct User {
    name: String,
    email: String,
    age: u32,
    score: f64,
    active: bool,
    revision: u64,
    address: Address,
    tags: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
struct Address {
    city: String,
    zip: u32,
}

/// 22 fields.
#[derive(Debug, Clone, Serialize)]
pub struct Profile {
    name: String,
    email: String,
    age: u32,
    score: f64,
    active: bool,
    revision: u64,
    address: Address,
    tags: Vec<String>,
    phone: String,
    company: String,
    title: String,
    language: String,
    balance: f64,
    latitude: f64,
    longitude: f64,
    logins: u64,
    followers: u64,
    website: String,
    biography: String,
    notes: String,
    history: Vec<u64>,
    orders: Vec<Order>,
}

#[derive(Debug, Clone, Serialize)]
struct Order {
    number: u64,
    item: String,
    price: f64,
    paid: bool,
}

const NAMES: [&str; 8] =
    ["Alice", "Bob", "Charlie", "Dorothea", "Edgar", "Frida", "Gunnar", "Hedvig"];
const CITIES: [&str; 4] = ["Stockholm", "Luleå", "Göteborg", "Uppsala"];
const WORDS: [&str; 16] = [
    "waiting",
    "process",
    "with",
    "the",
    "executor",
    "and",
    "cloud",
    "runs",
    "a",
    "simulation",
    "of",
    "weather",
    "before",
    "energy",
    "prices",
    "change",
];

impl Record {
    fn new(size: Size, random: &mut Random) -> Self {
        match size {
            Size::Small => Record::User(user(random)),
            Size::Large => Record::Profile(Box::new(profile(random))),
        }
    }
}

fn user(random: &mut Random) -> User {
    let name = *random.choose(&NAMES);
    User {
        name: format!("{name} {}son", random.choose(&NAMES)),
        email: format!("{}.{}@example.com", name.to_lowercase(), random.below(1_000_000)),
        age: 18 + random.below(80) as u32,
        score: fraction(random),
        active: random.below(2) == 0,
        revision: 0,
        address: Address {
            city: (*random.choose(&CITIES)).to_owned(),
            zip: 10_000 + random.below(89_999) as u32,
        },
        tags: (0..2).map(|_| (*random.choose(&WORDS)).to_owned()).collect(),
    }
}

fn profile(random: &mut Random) -> Profile {
    let User { name, email, age, score, active, revision, address, tags } = user(random);
    Profile {
        name,
        email,
        age,
        score,
        active,
        revision,
        address,
        tags,
        phone: format!("+46 70 {:07}", random.below(10_000_000)),
        company: text(3, random),
        title: text(2, random),
        language: "sv".to_owned(),
        balance: fraction(random) * 1e6,
        latitude: 55.0 + fraction(random) * 14.0,
        longitude: 11.0 + fraction(random) * 13.0,
        logins: random.below(10_000),
        followers: random.below(1_000_000),
        website: format!("https://example.com/{}", random.below(1_000_000)),
        biography: text(60, random),
        notes: text(40, random),
        history: (0..24).map(|_| 1_700_000_000 + random.below(90_000_000)).collect(),
        orders: (0..5)
            .map(|_| Order {
                number: random.below(1_000_000),
                item: text(2, random),
                price: random.below(100_000) as f64 / 100.0,
                paid: random.below(2) == 0,
            })
            .collect(),
    }
}

fn fraction(random: &mut Random) -> f64 {
    random.below(1_000_000) as f64 / 1e6
}

fn text(words: usize, random: &mut Random) -> String {
    (0..words).map(|_| *random.choose(&WORDS)).collect::<Vec<_>>().join(" ")
}

/// One document in each form that a contestant takes it in.
pub struct Prepared {
    /// For typed collections.
    pub record: Record,
    /// For untyped ones.
    pub object: Object,
    /// VelocityDB's own bytes, for stores of bytes.
    pub encoded: Encoded,
    /// For stores of text.
    pub json: String,
}

/// Documents that are stored repeatedly, so that the cost of creating them is not measured: few
/// enough to stay in the processor's cache, many enough to differ.
pub struct Pool(Vec<Prepared>);

const POOL_COUNT: u64 = 512;

impl Pool {
    /// The documents of one size.
    pub fn new(size: Size) -> Result<Self> {
        let mut random = Random::new(size.bytes() as u64);
        let prepare = |_| {
            let record = Record::new(size, &mut random);
            let encoded = Encoded::from_serialize(&record)?;
            let json = serde_json::to_string(&record)?;
            Ok(Prepared { object: encoded.to_object()?, record, encoded, json })
        };
        Ok(Pool((0..POOL_COUNT).map(prepare).collect::<Result<_>>()?))
    }

    /// The document for the number.
    pub fn get(&self, number: u64) -> &Prepared {
        &self.0[(number % POOL_COUNT) as usize]
    }

    /// Bytes of encoded fields that `count` documents have, stored in the order of numbers.
    pub fn encoded_bytes(&self, count: u64) -> u64 {
        (0..count).map(|number| self.get(number).encoded.as_bytes().len() as u64).sum()
    }
}

/// Ids like `user-0000012345`, in the order in which they are used, contiguous in memory: reading
/// the next id causes no cache miss that would be attributed to the store.
pub struct Ids(String);

/// What the order of ids is for.
#[derive(Debug, Clone, Copy)]
pub enum Purpose {
    /// To be stored.
    Storing,
    /// To be read and changed.
    Visiting,
}

/// Bytes of an id.
pub const ID_BYTES: usize = 15;

impl Ids {
    /// The ids of these numbers in a random order, which differs by purpose: reading documents in
    /// the order in which they were stored would read memory in order.
    pub fn shuffled(numbers: Range<u64>, purpose: Purpose) -> Self {
        let mut order: Vec<u64> = numbers.collect();
        Random::new(purpose as u64).shuffle(&mut order);
        let mut text = String::with_capacity(order.len() * ID_BYTES);
        order.into_iter().for_each(|number| text.push_str(&id(number)));
        Ids(text)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len() / ID_BYTES
    }

    /// The id at a position.
    #[inline]
    pub fn get(&self, place: usize) -> &str {
        &self.0[place * ID_BYTES..(place + 1) * ID_BYTES]
    }

    /// All ids, with their positions.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &str)> {
        (0..self.len()).map(|place| (place as u64, self.get(place)))
    }

    /// The ids of a cyclic walk through all of them, with the number of the lap, from 0.
    pub fn walk(&self, steps: Range<u64>) -> impl Iterator<Item = (u64, &str)> {
        let count = self.len() as u64;
        let mut lap = steps.start / count;
        let mut place = steps.start % count;
        steps.map(move |_| {
            let step = (lap, self.get(place as usize));
            place += 1;
            if place == count {
                (lap, place) = (lap + 1, 0);
            }
            step
        })
    }
}

/// The id of a number below ten billion.
pub fn id(number: u64) -> String {
    format!("user-{number:010}")
}

/// The id of a number below ten billion: consecutive numbers have ids across the whole key space,
/// all distinct.
pub fn scattered_id(number: u64) -> String {
    id(scattered(number))
}

/// A number below ten billion, of one below ten billion: consecutive ones are far from each other, and
/// all are distinct.
pub fn scattered(number: u64) -> u64 {
    const SPACE: u128 = 10_000_000_000;
    (u128::from(number) * 6_180_339_887 % SPACE) as u64
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn documents_have_the_size_and_the_fields_that_they_claim() {
        for (size, fields) in [(Size::Small, 8), (Size::Large, 22)] {
            let pool = Pool::new(size).unwrap();
            for number in 0..POOL_COUNT {
                let Prepared { object, json, .. } = pool.get(number);
                let ratio = json.len() as f64 / size.bytes() as f64;
                assert!((0.8..1.2).contains(&ratio), "{} bytes: {json}", json.len());
                assert_eq!(object.len(), fields);
                assert_eq!(object["revision"], 0.into());
            }
        }
    }

    #[test]
    fn a_walk_goes_round() {
        let ids = Ids::shuffled(0..10, Purpose::Visiting);
        let steps: Vec<_> = ids.walk(8..31).collect();
        assert_eq!(steps.len(), 23);
        assert_eq!(steps[0], (0, ids.get(8)));
        assert_eq!(steps[2], (1, ids.get(0)));
        assert_eq!(steps[22], (3, ids.get(0)));
        let all: HashSet<_> = ids.iter().map(|(_, id)| id.to_owned()).collect();
        assert_eq!(all, (0..10).map(id).collect());
    }

    #[test]
    fn scattered_ids_are_distinct() {
        let all: HashSet<_> = (0..100_000).map(scattered_id).collect();
        assert_eq!(all.len(), 100_000);
        assert!(all.iter().all(|id| id.len() == ID_BYTES));
    }
}
