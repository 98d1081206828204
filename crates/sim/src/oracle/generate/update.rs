//! Random updates, generated for the document that they change, so that they are mostly valid.

use velocitydb_core::{Object, Value, object, value};

use super::Source;
use super::documents::{FIELDS, INNER};
use super::values::{Theme, Values, list, scalar, small_number, whole};

const ON_NUMBERS: [&str; 2] = ["$inc", "$mul"];

/// An update of one to three fields.
pub fn update(document: &Object, source: &mut Source) -> Object {
    let count = 1 + source.weighted(&[55, 30, 15]);
    let mut update = Object::new();
    let mut fields: Vec<&str> = source.several(&FIELDS, count).into_iter().copied().collect();
    if source.percent(2) {
        // Sometimes two changes of one path.
        fields.push(fields[0]);
    }
    for field in fields {
        let path = path(field, document, source);
        let (operator, operand) = change(&path, document, source);
        let changes = update.get_or_insert_with(operator, || Object::new().into());
        changes.as_object_mut().expect("it was inserted as one").insert(path, operand);
    }
    update
}

/// The field, or a path inside of it that fits its value.
fn path(field: &str, document: &Object, source: &mut Source) -> String {
    let inner = *source.one_of(&INNER);
    match document.get(field) {
        Some(Value::Object(_)) | None if source.percent(60) => format!("{field}.{inner}"),
        Some(Value::Array(items)) if source.percent(30) => {
            let at = source.below(items.len() + 2);
            match items.get(at) {
                Some(Value::Object(_)) if source.percent(60) => format!("{field}.{at}.{inner}"),
                _ => format!("{field}.{at}"),
            }
        }
        _ if source.percent(2) => format!("{field}.{inner}"),
        _ => field.to_owned(),
    }
}

/// An operator that mostly fits the value at the path.
fn change(path: &str, document: &Object, source: &mut Source) -> (&'static str, Value) {
    let found = path.parse().ok().and_then(|path: velocitydb_core::Path| path.get(document));
    if source.percent(2) {
        return any_change(found, source);
    }
    match (found, source.below(100)) {
        (_, 0..15) => ("$set", Values::OfJavaScript.stranger(source)),
        (_, 15..23) => ("$unset", value!("")),
        (_, 23..29) if is_plain(path) => ("$rename", new_name(source)),
        (Some(Value::Array(items)), _) => array_change(items, source),
        (Some(number), 29..70) if number.kind().is_number() && fits(found) => {
            (*source.one_of(&ON_NUMBERS), small_number(source))
        }
        (None, 29..50) => (*source.one_of(&ON_NUMBERS), small_number(source)),
        (None, 50..75) => array_change(&[], source),
        (Some(Value::Null), 29..40) => ("$set", scalar(source)),
        _ => (*source.one_of(&["$min", "$max"]), scalar(source)),
    }
}

/// Whether arithmetic with the number is exact in JavaScript too.
fn fits(found: Option<&Value>) -> bool {
    let bound = value!(1_000_000_000);
    let negative = value!(-1_000_000_000);
    found.is_some_and(|found| *found < bound && *found > negative)
}

fn is_plain(path: &str) -> bool {
    !path.split('.').any(|name| name.parse::<u32>().is_ok())
}

/// A name that no document has.
fn new_name(source: &mut Source) -> Value {
    (*source.one_of(&["v", "w", "v.x", "w.x.y"])).into()
}

/// Any operator, whether it fits or not.
fn any_change(found: Option<&Value>, source: &mut Source) -> (&'static str, Value) {
    if source.percent(50) {
        (*source.one_of(&ON_NUMBERS), small_number(source))
    } else {
        array_change(found.and_then(Value::as_array).map_or(&[], Vec::as_slice), source)
    }
}

fn array_change(items: &[Value], source: &mut Source) -> (&'static str, Value) {
    let pushes = if are_objects(items) { 120 } else { 35 };
    match source.weighted(&[pushes, 20, 10, 15, 20]) {
        0 => ("$push", push(items, source)),
        1 => ("$pull", pull(items, source)),
        2 => ("$pullAll", elements(items, source)),
        3 => {
            let end = if source.percent(50) { 1 } else { -1 };
            ("$pop", whole(end, source))
        }
        _ => {
            let operand = if source.percent(50) {
                element(items, source)
            } else {
                value!({ "$each": elements(items, source) })
            };
            ("$addToSet", operand)
        }
    }
}

fn push(items: &[Value], source: &mut Source) -> Value {
    if source.percent(30) {
        return element(items, source);
    }
    let mut push = object! { "$each": elements(items, source) };
    if source.percent(40) {
        push.insert("$position", whole(source.between(-3, 4), source));
    }
    // Mingo does not sort or slice an array that `$push` creates.
    let is_sorted = source.percent(if are_objects(items) { 80 } else { 35 });
    if !items.is_empty() && is_sorted {
        push.insert("$sort", push_sort(items, source));
    }
    if !items.is_empty() && source.percent(35) {
        push.insert("$slice", whole(source.between(-4, 4), source));
    }
    push.into()
}

fn push_sort(items: &[Value], source: &mut Source) -> Value {
    let direction = |source: &mut Source| if source.percent(50) { 1 } else { -1 };
    if !are_objects(items) || source.percent(20) {
        return direction(source).into();
    }
    let count = 1 + source.below(3);
    let key = |name: &&str, source: &mut Source| value!({ (*name): direction(source) });
    let names = names_of(&items[0]);
    let names = source.several(if names.is_empty() { &INNER } else { &names }, count);
    let keys: Vec<Value> = names.into_iter().map(|name| key(name, source)).collect();
    // A list gives the order of the keys.
    if keys.len() == 1 { keys.into_iter().next().unwrap_or_default() } else { keys.into() }
}

fn are_objects(items: &[Value]) -> bool {
    !items.is_empty() && items.iter().all(|item| item.as_object().is_some())
}

fn names_of(item: &Value) -> Vec<&str> {
    item.as_object().into_iter().flat_map(Object::keys).collect()
}

fn pull(items: &[Value], source: &mut Source) -> Value {
    match source.weighted(&[45, 20, 25, 10]) {
        0 => element(items, source),
        1 => value!({ "$in": elements(items, source) }),
        2 => {
            let operator = *source.one_of(&["$gt", "$gte", "$lt", "$lte", "$ne"]);
            value!({ (operator): Theme::Mixed.scalar(source) })
        }
        _ => {
            let field = items.iter().find_map(|item| item.as_object()?.iter().next());
            let field = field.map(|(name, value)| (name.to_owned(), value.clone()));
            field.map_or_else(|| element(items, source), |field| Object::from([field]).into())
        }
    }
}

fn elements(items: &[Value], source: &mut Source) -> Value {
    (0..source.below(4)).map(|_| element(items, source)).collect()
}

/// One of the items, or something else.
fn element(items: &[Value], source: &mut Source) -> Value {
    if are_objects(items) && source.percent(85) {
        let names = names_of(&items[0]).into_iter();
        return names.map(|it| (it, source.between(0, 2))).collect::<Object>().into();
    }
    match source.weighted(&[50, 42, 5, 3]) {
        0 if !items.is_empty() => source.one_of(items).clone(),
        2 => list(Theme::Number, source),
        3 => value!({ "x": small_number(source) }),
        _ => scalar(source),
    }
}
