//! Making up the fields of documents: values of every type, of which many are equal in different forms.

use velocitydb::{Binary, Bytes, Decimal, Foreign, Object, ObjectId, Time, Uuid, Value, object};

use super::generator::Generator;
use crate::world::START_MICROS;

impl Generator {
    pub(super) fn object(&mut self) -> Object {
        match self.random.within(0..9) {
            6..9 => {
                let mut object = self.queries.object();
                object.insert("n", self.value());
                object
            }
            // Names that only look like those of the database.
            0 => object! { "_version": self.value(), "_lease": self.value() },
            1 => object! { "n": self.value(), "list": [1, 2] },
            3 | 4 => object! { "n": self.value(), "m": self.value() },
            2 => object! { "n": self.value(), "deep": { "m": [null, { "x": self.value() }] } },
            _ => object! { "n": self.value() },
        }
    }

    pub(super) fn value(&mut self) -> Value {
        match self.random.within(0..18) {
            0 => Value::Null,
            1 => Value::from(self.random.one_in(2)),
            2 => Value::from("1"),
            3 => Value::from(self.random.within(0..3) as f64),
            4 => Value::from(vec![1, 2]),
            5 => self.decimal().into(),
            6 => Time::from_micros(START_MICROS + self.random.within(0..3) as i64).unwrap().into(),
            7 => self.pair(),
            8 => self.foreign(),
            9..12 => Value::from(self.random.within(0..40) as i64),
            _ => Value::from(self.random.within(0..3) as i64),
        }
    }

    /// Some equal integers and floats, and each other with other digits.
    fn decimal(&mut self) -> Decimal {
        let tenths = self.random.within(0..30) as i128;
        match self.random.one_in(2) {
            true => Decimal::new(tenths, -1),
            false => Decimal::new(tenths * 10, -2),
        }
        .expect("it has few digits")
    }

    /// An object, whose fields come in either order.
    fn pair(&mut self) -> Value {
        let (x, y) = (self.random.within(0..2) as i64, Value::from(vec![self.decimal()]));
        match self.random.one_in(2) {
            true => object! { "x": x, "y": y },
            false => object! { "y": y, "x": x },
        }
        .into()
    }

    /// A value of a type that other databases have.
    fn foreign(&mut self) -> Value {
        let byte = self.random.within(0..2) as u8;
        match self.random.within(0..11) {
            0 => ObjectId::from([byte; 12]).into(),
            1 => Uuid::from([byte; 16]).into(),
            2 => Bytes(vec![byte]).into(),
            3 => Binary::new(5, [byte; 16]).into(),
            4 => Foreign::timestamp(byte.into(), 0).into(),
            5 => Foreign::min_key().into(),
            6 => Foreign::max_key().into(),
            7 => Foreign::undefined().into(),
            8 => Foreign::symbol("1").into(),
            9 => Foreign::regex("^1", "i").unwrap().into(),
            _ => {
                Foreign::javascript_with_scope("x", &object! { "y": 1, "x": byte }).unwrap().into()
            }
        }
    }
}
