//! Random documents, filters, sorts and indexes that have to do with each other, and what a linear
//! scan says of them.

use std::collections::BTreeMap;

use velocitydb::{
    Bytes, Decimal, DocumentId, Filter, Foreign, IndexSpec, Object, ObjectId, Sort, Time, Uuid,
    Value, object,
};
use velocitydb_core::key::Direction;
use velocitydb_storage::contract::Random;

/// Paths of documents; some lead through arrays, or nowhere.
pub const PATHS: [&str; 10] =
    ["a", "b", "_version", "d", "d.x", "d.y", "tags", "items", "items.x", "items.y"];

/// The id of a number: ids of neighbours have different types, and no two are equal.
pub fn id_of(number: u64) -> DocumentId {
    let bytes = number.to_be_bytes();
    let whole = number as i64 / 2;
    let id: Value = match number % 9 {
        _ if number < 2 => (number == 1).into(),
        0 => format!("d{number:03}").into(),
        1 if number.is_multiple_of(2) => (-whole).into(),
        1 => whole.into(),
        2 => (whole as f64 + 0.5).into(),
        3 => Decimal::new(i128::from(whole) * 10 + 1, -1).expect("it has few digits").into(),
        4 => {
            let mut id = [0; 12];
            id[4..].copy_from_slice(&bytes);
            ObjectId::from(id).into()
        }
        5 => Uuid::from(u128::from(number).to_be_bytes()).into(),
        6 => Time::from_micros(whole - 50).expect("it is about 1970").into(),
        7 => number.to_string().into(),
        _ => format!("é{number}").into(),
    };
    DocumentId::new(id).expect("these values are ids")
}

/// Makes up what belongs to queries.
pub struct Queries {
    pub random: Random,
}

impl Queries {
    pub fn new(random: Random) -> Self {
        Queries { random }
    }

    fn one_of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.random.within(0..list.len() as u64) as usize]
    }

    pub fn path(&mut self) -> String {
        self.one_of(&PATHS).to_owned()
    }

    /// A value that is no array and no object; few, so that many are equal.
    pub fn scalar(&mut self) -> Value {
        match self.random.within(0..20) {
            0 => Value::Null,
            1 => Value::from(self.random.one_in(2)),
            2 | 3 => Value::from(self.random.within(0..4) as f64),
            4 => Value::from(0.5 + self.random.within(0..3) as f64),
            5 => Value::from(9_007_199_254_740_993_i64),
            6 => Value::from(9_007_199_254_740_992_f64),
            7..10 => Value::from(self.one_of(&["", "a", "ab", "b", "a\0", "é"])),
            10 => Value::from(-(self.random.within(0..3) as i64)),
            // Half of them equal an integer or a float, each with different digits.
            11 | 12 => {
                let digits = self.random.within(0..5) as i128 * 5;
                let decimal = match self.random.one_in(2) {
                    true => Decimal::new(digits, -1),
                    false => Decimal::new(digits * 10, -2),
                };
                Value::from(decimal.expect("it has few digits"))
            }
            13 => self.foreign(),
            _ => Value::from(self.random.within(0..4) as i64),
        }
    }

    /// A value of a type that other databases have, and bytes, which are of one class with some.
    fn foreign(&mut self) -> Value {
        let byte = self.random.within(0..2) as u8;
        match self.random.within(0..8) {
            0 | 1 => ObjectId::from([byte; 12]).into(),
            2 => Uuid::from([byte; 16]).into(),
            3 => Bytes(vec![byte; 16]).into(),
            4 => Foreign::timestamp(byte.into(), 0).into(),
            5 => Foreign::symbol("a").into(),
            6 => Foreign::min_key().into(),
            _ => Decimal::NAN.into(),
        }
    }

    /// Any value, with arrays and objects.
    pub fn value(&mut self) -> Value {
        match self.random.within(0..12) {
            0 => {
                let object = object! { "x": self.scalar(), "y": self.random.within(0..2) };
                self.shuffled(object).into()
            }
            1 => self.scalars(),
            2 => Value::from(vec![self.scalars(), self.scalar()]),
            _ => self.scalar(),
        }
    }

    fn scalars(&mut self) -> Value {
        let count = self.random.within(0..4);
        (0..count).map(|_| self.scalar()).collect()
    }

    fn item(&mut self) -> Value {
        match self.random.within(0..6) {
            0 => self.scalar(),
            1 => Value::from(Object::new()),
            2 => Value::from(object! { "x": self.value() }),
            3 => Value::from(object! { "y": self.scalar(), "x": self.scalar() }),
            _ => Value::from(object! { "x": self.scalar(), "y": self.scalar() }),
        }
    }

    /// The same fields in any order.
    fn shuffled(&mut self, object: Object) -> Object {
        let mut left: Vec<(String, Value)> = object.into_iter().collect();
        let mut fields = Object::with_capacity(left.len());
        while !left.is_empty() {
            let at = self.random.within(0..left.len() as u64) as usize;
            fields.extend([left.swap_remove(at)]);
        }
        fields
    }

    /// The fields of a document.
    pub fn object(&mut self) -> Object {
        let mut object = Object::new();
        for name in ["a", "b", "_version"] {
            if !self.random.one_in(4) {
                object.insert(name, self.value());
            }
        }
        match self.random.within(0..4) {
            0 => drop(object.insert("d", self.item())),
            1 => drop(object.insert("d", self.value())),
            2 => {
                let d = object! { "x": self.scalar(), "y": self.value() };
                object.insert("d", self.shuffled(d));
            }
            _ => {}
        }
        if self.random.one_in(2) {
            object.insert("tags", self.scalars());
        }
        if self.random.one_in(2) {
            let count = self.random.within(0..4);
            object.insert("items", (0..count).map(|_| self.item()).collect::<Value>());
        }
        self.shuffled(object)
    }

    /// Mostly an id that a document may have, and a number in any type.
    fn id(&mut self) -> Value {
        let id = match self.random.one_in(4) {
            true => self.scalar(),
            false => id_of(self.random.within(0..100)).into(),
        };
        match id {
            Value::Int(number) if self.random.one_in(2) => match self.random.one_in(2) {
                true => Value::from(number as f64),
                false => Decimal::new(i128::from(number) * 100, -2).expect("it fits").into(),
            },
            id => id,
        }
    }

    /// What ids are compared with.
    fn id_test(&mut self) -> Value {
        match self.random.within(0..4) {
            0 => self.test(),
            1 => {
                let count = self.random.within(0..6);
                let ids = (0..count).map(|_| self.id()).collect::<Value>();
                let word = self.one_of(&["$in", "$nin"]);
                object! { word: ids }.into()
            }
            2 => object! { "$gt": self.id(), "$lte": self.id() }.into(),
            _ => {
                let word = self.one_of(&["$eq", "$gt", "$gte", "$lt", "$lte", "$ne"]);
                object! { word: self.id() }.into()
            }
        }
    }

    /// What a field is compared with.
    fn test(&mut self) -> Value {
        let list = |queries: &mut Self| {
            let count = queries.random.within(0..4);
            (0..count).map(|_| queries.value()).collect::<Value>()
        };
        Value::from(match self.random.within(0..19) {
            0..3 => object! { "$eq": self.value() },
            3 => object! { "$ne": self.value() },
            4 => object! { "$gt": self.scalar() },
            5 => object! { "$gte": self.scalar() },
            6 => object! { "$lt": self.scalar() },
            7 => object! { "$lte": self.scalar() },
            8 => object! { "$gte": self.scalar(), "$lt": self.scalar() },
            9..11 => object! { "$in": list(self) },
            11 => object! { "$nin": list(self) },
            12 => object! { "$exists": self.random.one_in(2) },
            13 => {
                object! { "$type": self.one_of(&["string", "number", "array", "null", "object", "decimal", "objectId"]) }
            }
            14 => object! { "$regex": self.one_of(&["^a", "b$", "^", "^ab?"]) },
            15 => object! { "$all": list(self) },
            16 => object! { "$size": self.random.within(0..3) as i64 },
            17 => match self.random.one_in(2) {
                true => object! { "$elemMatch": { "$gte": self.scalar(), "$lte": self.scalar() } },
                false => object! { "$elemMatch": { "x": self.scalar(), "y": self.scalar() } },
            },
            _ => object! { "$not": { "$gt": self.scalar() } },
        })
    }

    fn conjunction(&mut self, depth: u32) -> Object {
        let mut filter = Object::new();
        for _ in 0..self.random.within(1..4) {
            if depth > 0 && self.random.one_in(6) {
                let word = self.one_of(&["$or", "$or", "$and", "$nor"]);
                let count = self.random.within(1..4);
                let parts = (0..count).map(|_| Value::from(self.conjunction(depth - 1)));
                filter.insert(word, parts.collect::<Value>());
            } else if self.random.one_in(12) {
                filter.insert("_id", self.id_test());
            } else {
                let path = self.path();
                let test = match self.random.one_in(3) {
                    true => self.value(),
                    false => self.test(),
                };
                filter.insert(path, test);
            }
        }
        filter
    }

    pub fn filter(&mut self) -> Filter {
        let filter = self.conjunction(2);
        // What is no filter is not what this is about.
        Filter::from_object(filter).unwrap_or_else(|_| Filter::all())
    }

    pub fn sort(&mut self) -> Sort {
        let count = self.random.within(0..4);
        (0..count).fold(Sort::new(), |sort, _| {
            let path = match self.random.one_in(10) {
                true => "_id".to_owned(),
                false => self.path(),
            };
            if sort.keys().iter().any(|key| key.path.to_string() == path) {
                return sort;
            }
            match self.random.one_in(2) {
                true => sort.ascending(&path),
                false => sort.descending(&path),
            }
        })
    }

    /// Paths to be shown, of which none is within another one.
    pub fn projection(&mut self) -> Vec<&'static str> {
        let mut paths: Vec<&'static str> = Vec::new();
        for _ in 0..self.random.within(1..4) {
            let path = self.one_of(&["a", "b", "_version", "d.x", "d.y", "tags", "items.x"]);
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        paths
    }

    /// An index, unique or not. A unique one refuses documents.
    pub fn any_index(&mut self) -> IndexSpec {
        let index = self.index();
        // Of those on one path hardly a document would be left.
        let is_unique = index.keys().keys().len() > 1 && self.random.one_in(2);
        if is_unique { index.unique() } else { index }
    }

    /// A filter and a sort that an index was made for: some of its keys have one of a few values,
    /// and the others are the order.
    pub fn fitting(&mut self, index: &IndexSpec) -> (Filter, Sort) {
        let keys = index.keys().keys().to_vec();
        let given = self.random.within(0..keys.len() as u64 + 1) as usize;
        let mut filter = Object::new();
        for key in &keys[..given] {
            let count = self.random.within(1..5);
            let list: Value = (0..count).map(|_| self.scalar()).collect();
            filter.insert(key.path.to_string(), object! { "$in": list });
        }
        if self.random.one_in(3) {
            filter.insert(self.path(), self.test());
        }
        let is_turned = self.random.one_in(2);
        let sort = keys[given..].iter().fold(Sort::new(), |sort, key| {
            let path = key.path.to_string();
            match (key.direction == Direction::Ascending) != is_turned {
                true => sort.ascending(&path),
                false => sort.descending(&path),
            }
        });
        let filter = Filter::from_object(filter).unwrap_or_else(|_| Filter::all());
        (filter, if self.random.one_in(4) { self.sort() } else { sort })
    }

    /// An index that no document is refused by.
    pub fn index(&mut self) -> IndexSpec {
        let mut keys = self.sort();
        while keys.keys().is_empty() || keys.keys().iter().any(|key| key.path.to_string() == "_id")
        {
            keys = self.sort();
        }
        let index = IndexSpec::new(keys);
        match self.random.within(0..5) {
            0 => index.sparse(),
            1 => {
                let path = self.path();
                let test = self.test();
                let partial = Filter::from_object(Object::from([(path, test)]));
                partial.map_or(index.clone(), |partial| index.partial(partial))
            }
            _ => index,
        }
    }
}

/// The documents that satisfy a filter, one after another.
pub fn matching<Id: Ord + Clone + Into<Value>>(
    documents: &BTreeMap<Id, Object>,
    filter: &Filter,
) -> BTreeMap<Id, Object> {
    let with_id = |(id, fields): (&Id, &Object)| {
        let mut object = fields.clone();
        object.insert("_id", id.clone());
        (id.clone(), object)
    };
    let all = documents.iter().map(with_id);
    all.filter(|(_, object)| filter.matches_object(object)).collect()
}

/// Their ids in an order: by `_id`, and where the order leaves that open, as the ids themselves are ordered,
/// there in the direction of its last key.
pub fn sorted<Id: Ord + Clone>(documents: &BTreeMap<Id, Object>, sort: &Sort) -> Vec<Id> {
    let before = sort.keys().iter().take_while(|key| key.path.to_string() != "_id");
    let before = before.count();
    let by_id = sort.keys().get(before).or(sort.keys().last());
    let by_id = by_id.map(|key| key.direction).unwrap_or_default();
    let by_fields = sort.keys()[..before].iter().fold(Sort::new(), |sort, key| {
        let path = key.path.to_string();
        match key.direction {
            Direction::Ascending => sort.ascending(&path),
            Direction::Descending => sort.descending(&path),
        }
    });
    let keyed = documents.iter();
    let mut keyed: Vec<_> =
        keyed.map(|(id, object)| (by_fields.key_of(object).unwrap(), id.clone())).collect();
    keyed.sort_by(|(one, id), (other, other_id)| {
        let by_id = match by_id {
            Direction::Ascending => id.cmp(other_id),
            Direction::Descending => other_id.cmp(id),
        };
        one.cmp(other).then(by_id)
    });
    keyed.into_iter().map(|(_, id)| id).collect()
}

#[test]
fn ids_of_numbers_differ() {
    let ids: std::collections::BTreeSet<_> = (0..400).map(id_of).collect();
    assert_eq!(ids.len(), 400);
}
