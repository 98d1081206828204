//! Values, objects and updates, made out of bytes.

use arbitrary::{Result, Unstructured};
use velocitydb_core::{Binary, Bytes, Decimal, Foreign, Object, ObjectId, Time, Value};

const DEPTH_MAX: usize = 5;
const NAMES: &[&str] = &["a", "b", "0", "1", "", "a.b", "\0", "é", "long name of a field"];
const PATHS: &[&str] = &["a", "b", "a.b", "a.0", "a.1", "b.0.a", "b.a", "0", "a.12", "c.0", "c"];
const OPERATORS: &[&str] = &[
    "$set",
    "$unset",
    "$inc",
    "$mul",
    "$min",
    "$max",
    "$rename",
    "$push",
    "$pull",
    "$pop",
    "$addToSet",
    "$currentDate",
];

/// Any value.
pub fn value(input: &mut Unstructured<'_>) -> Result<Value> {
    nested_value(input, 0)
}

/// Any document.
pub fn object(input: &mut Unstructured<'_>) -> Result<Object> {
    nested_object(input, 0)
}

fn nested_value(input: &mut Unstructured<'_>, depth: usize) -> Result<Value> {
    let kinds = if depth < DEPTH_MAX { 16 } else { 14 };
    Ok(match input.int_in_range(0..=kinds)? {
        0 => Value::Null,
        1 => input.arbitrary::<bool>()?.into(),
        2 => input.int_in_range(-3_i64..=3)?.into(),
        3 => input.arbitrary::<i64>()?.into(),
        4 => input.arbitrary::<u64>()?.into(),
        5 => input.arbitrary::<f64>()?.into(),
        6 => (input.arbitrary::<i64>()? as f64).into(),
        7 => (f64::from(input.int_in_range(-6_i8..=6)?) / 2.0).into(),
        8 => input.arbitrary::<String>()?.into(),
        9 => Bytes(input.arbitrary()?).into(),
        10 => {
            let range = Time::MIN.as_micros()..=Time::MAX.as_micros();
            Time::from_micros(input.int_in_range(range)?).expect("it is in range").into()
        }
        11 => Decimal::from_bits(input.arbitrary()?).into(),
        12 => {
            let exponent = input.int_in_range(-4_i32..=4)?;
            Decimal::new(input.arbitrary::<i16>()?.into(), exponent)
                .expect("it has few digits")
                .into()
        }
        13 => match input.arbitrary()? {
            true => ObjectId::from(input.arbitrary::<[u8; 12]>()?).into(),
            false => Binary::new(input.arbitrary()?, input.arbitrary::<Vec<u8>>()?).into(),
        },
        14 => foreign(input)?.into(),
        15 => {
            let count = input.int_in_range(0..=5)?;
            (0..count).map(|_| nested_value(input, depth + 1)).collect::<Result<Vec<_>>>()?.into()
        }
        _ => nested_object(input, depth + 1)?.into(),
    })
}

/// A value of a type that nothing computes with.
fn foreign(input: &mut Unstructured<'_>) -> Result<Foreign> {
    let text: String = input.arbitrary::<String>()?.replace('\0', "");
    Ok(match input.int_in_range(0..=8)? {
        0 => Foreign::min_key(),
        1 => Foreign::max_key(),
        2 => Foreign::undefined(),
        3 => Foreign::symbol(&text),
        4 => Foreign::timestamp(input.arbitrary()?, input.arbitrary()?),
        5 => Foreign::regex(&text, "i").expect("there is no NUL"),
        6 => Foreign::db_pointer(&text, ObjectId::default()).expect("there is no NUL"),
        7 => Foreign::javascript(&text),
        _ => {
            let scope = Object::from([("x", input.arbitrary::<i64>()?)]);
            Foreign::javascript_with_scope(&text, &scope).expect("it is small")
        }
    })
}

fn nested_object(input: &mut Unstructured<'_>, depth: usize) -> Result<Object> {
    let count = input.int_in_range(0..=6)?;
    (0..count)
        .map(|_| {
            let name = match input.ratio(9, 10)? {
                true => (*input.choose(NAMES)?).to_owned(),
                false => input.arbitrary::<String>()?.trim_start_matches('$').to_owned(),
            };
            Ok((name, nested_value(input, depth + 1)?))
        })
        .collect()
}

/// An object that is often an update.
pub fn update(input: &mut Unstructured<'_>) -> Result<Object> {
    if input.ratio(1, 8)? {
        return object(input);
    }
    let count = input.int_in_range(1..=3)?;
    (0..count)
        .map(|_| {
            let operator = *input.choose(OPERATORS)?;
            let count = input.int_in_range(1..=3)?;
            let operands: Result<Object> = (0..count)
                .map(|_| Ok((*input.choose(PATHS)?, operand(input, operator)?)))
                .collect();
            Ok((operator, operands?))
        })
        .collect()
}

fn operand(input: &mut Unstructured<'_>, operator: &str) -> Result<Value> {
    if input.ratio(1, 10)? {
        return value(input);
    }
    Ok(match operator {
        "$rename" => (*input.choose(PATHS)?).into(),
        "$pop" => (*input.choose(&[1, -1])?).into(),
        "$currentDate" => true.into(),
        "$inc" | "$mul" => (*input.choose(&[
            Value::Int(1),
            Value::Int(-1),
            Value::Int(i64::MAX),
            Value::UInt(u64::MAX),
            Value::Float(0.5),
            Value::Float(f64::INFINITY),
            Value::Decimal(Decimal::ONE),
            Value::Decimal(Decimal::NAN),
        ])?)
        .clone(),
        "$pull" if input.arbitrary()? => Object::from([("$in", list(input)?)]).into(),
        "$addToSet" if input.arbitrary()? => Object::from([("$each", list(input)?)]).into(),
        "$push" if input.arbitrary()? => {
            let mut push = Object::from([("$each", list(input)?)]);
            if input.arbitrary()? {
                push.insert("$position", input.int_in_range(-4_i64..=4)?);
            }
            if input.arbitrary()? {
                push.insert("$slice", input.int_in_range(-4_i64..=4)?);
            }
            if input.arbitrary()? {
                let direction = *input.choose(&[1, -1])?;
                let by_path = Value::from(Object::from([(*input.choose(PATHS)?, direction)]));
                push.insert("$sort", if input.arbitrary()? { by_path } else { direction.into() });
            }
            push.into()
        }
        _ => value(input)?,
    })
}

fn list(input: &mut Unstructured<'_>) -> Result<Vec<Value>> {
    let count = input.int_in_range(0..=3)?;
    (0..count).map(|_| value(input)).collect()
}
