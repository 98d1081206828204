//! Random ids: of one type in a whole collection, or of several.

use velocitydb_core::{Binary, Decimal, ObjectId, Time, Value};

use super::Source;

/// The types of the ids of a collection.
#[derive(Debug, Clone)]
pub struct Ids(Vec<Form>);

/// A type of ids. There is one of each for a number, except of bools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Integer,
    /// A float, which may be an integer in another form.
    Float,
    /// A decimal that is exactly a float.
    Decimal,
    Uuid,
    ObjectId,
    Time,
    Bool,
    /// An integer that no float holds.
    Large,
    /// A decimal that no float holds.
    Fine,
}

/// Mingo has an order for all of these.
const ORDERED: [Form; 7] =
    [Form::Text, Form::Integer, Form::Float, Form::Decimal, Form::Uuid, Form::Time, Form::Bool];
/// Mingo sorts ObjectIds behind all others, which is right among these.
const BELOW_OBJECT_IDS: [Form; 6] =
    [Form::Text, Form::Integer, Form::Float, Form::Decimal, Form::Uuid, Form::ObjectId];

const ALL: [Form; 10] = [
    Form::Text,
    Form::Integer,
    Form::Float,
    Form::Decimal,
    Form::Uuid,
    Form::ObjectId,
    Form::Time,
    Form::Bool,
    Form::Large,
    Form::Fine,
];

impl Ids {
    /// Ids that mingo sorts as VelocityDB does.
    pub fn for_mingo(source: &mut Source) -> Self {
        if source.percent(35) {
            return Self(vec![Form::Text]);
        }
        let forms: &[Form] = if source.percent(50) { &ORDERED } else { &BELOW_OBJECT_IDS };
        Self::some(forms, source)
    }

    /// Ids of any type.
    pub fn of_any_type(source: &mut Source) -> Self {
        Self::some(&ALL, source)
    }

    fn some(forms: &[Form], source: &mut Source) -> Self {
        let count = 1 + source.below(forms.len());
        let mut forms: Vec<Form> = source.several(forms, count).into_iter().copied().collect();
        if forms == [Form::Bool] {
            forms.push(Form::Text);
        }
        Self(forms)
    }

    /// The id with a number, which no other number has.
    pub fn id(&self, number: i64, source: &mut Source) -> Value {
        match source.one_of(&self.0) {
            Form::Bool if number < 2 => (number == 1).into(),
            Form::Text | Form::Bool => format!("d{number:02}").into(),
            Form::Integer => (number - 10).into(),
            Form::Float => ((number - 10) as f64).into(),
            Form::Decimal => decimal((number - 10) * 10 + 5 * (number % 2), -1),
            Form::Uuid => Binary::new(4, [number as u8; 16]).into(),
            Form::ObjectId => {
                let mut bytes = [0; 12];
                bytes[number as usize % 12] = number as u8 + 1;
                ObjectId::from(bytes).into()
            }
            Form::Time => {
                let time = Time::from_millis((number - 10) * 86_400_000);
                time.expect("it is within a few weeks of 1970").into()
            }
            Form::Large => ((1_i64 << 53) + number).into(),
            Form::Fine => decimal((number - 10) * 10 + 1, -1),
        }
    }
}

fn decimal(coefficient: i64, exponent: i32) -> Value {
    Decimal::new(coefficient.into(), exponent).expect("it has few digits").into()
}
