//! Writing values and objects in Rust source in the form of JSON.

/// Writes a [`Value`](crate::Value) in the form of JSON, with any Rust expressions as values.
///
/// ```
/// use velocitydb_core::value;
///
/// let years = 28;
/// let list = value!([null, true, -1.5, years + 1, { "name": "Alice" }]);
/// assert_eq!(list, value!([(), true, -1.5, 29, { "name": "Alice" }]));
/// ```
#[macro_export]
macro_rules! value {
    (null) => { $crate::Value::Null };
    ([ $($inner:tt)* ]) => { $crate::Value::Array($crate::array_internal!([] $($inner)*)) };
    ({ $($inner:tt)* }) => { $crate::Value::Object($crate::object!($($inner)*)) };
    ($value:expr) => { $crate::Value::from($value) };
}

/// Writes an [`Object`](crate::Object) in the form of JSON, with any Rust expressions as values, and literals or
/// expressions in parentheses as names.
///
/// ```
/// use velocitydb_core::{Value, object};
///
/// let alice = object! { "name": "Alice", "tags": ["a", 1], "address": { "zip": null } };
/// assert_eq!(alice.get("name"), Some(&Value::from("Alice")));
/// ```
#[macro_export]
macro_rules! object {
    ($($inner:tt)*) => {{
        #[allow(unused_mut)]
        let mut object = $crate::Object::new();
        $crate::object_internal!(object $($inner)*);
        object
    }};
}

/// Takes the elements of an array one by one, since an element can be `null`, `[…]`, `{…}` or an
/// expression of several tokens.
#[doc(hidden)]
#[macro_export]
macro_rules! array_internal {
    ([ $($done:expr,)* ]) => { ::std::vec![ $($done),* ] };
    ([ $($done:expr,)* ] null $(, $($rest:tt)*)?) => {
        $crate::array_internal!([ $($done,)* $crate::value!(null), ] $($($rest)*)?)
    };
    ([ $($done:expr,)* ] [ $($inner:tt)* ] $(, $($rest:tt)*)?) => {
        $crate::array_internal!([ $($done,)* $crate::value!([ $($inner)* ]), ] $($($rest)*)?)
    };
    ([ $($done:expr,)* ] { $($inner:tt)* } $(, $($rest:tt)*)?) => {
        $crate::array_internal!([ $($done,)* $crate::value!({ $($inner)* }), ] $($($rest)*)?)
    };
    ([ $($done:expr,)* ] $next:expr $(, $($rest:tt)*)?) => {
        $crate::array_internal!([ $($done,)* $crate::value!($next), ] $($($rest)*)?)
    };
}

/// Takes the fields of an object one by one.
#[doc(hidden)]
#[macro_export]
macro_rules! object_internal {
    ($object:ident) => {};
    ($object:ident $name:tt : null $(, $($rest:tt)*)?) => {
        $object.insert($name, $crate::value!(null));
        $crate::object_internal!($object $($($rest)*)?);
    };
    ($object:ident $name:tt : [ $($inner:tt)* ] $(, $($rest:tt)*)?) => {
        $object.insert($name, $crate::value!([ $($inner)* ]));
        $crate::object_internal!($object $($($rest)*)?);
    };
    ($object:ident $name:tt : { $($inner:tt)* } $(, $($rest:tt)*)?) => {
        $object.insert($name, $crate::value!({ $($inner)* }));
        $crate::object_internal!($object $($($rest)*)?);
    };
    ($object:ident $name:tt : $value:expr $(, $($rest:tt)*)?) => {
        $object.insert($name, $crate::value!($value));
        $crate::object_internal!($object $($($rest)*)?);
    };
}

#[cfg(test)]
mod tests {
    use crate::Value;

    #[test]
    fn macros_take_every_form_of_json_and_expressions() {
        let name = "na".to_owned() + "me";
        let object = object! {
            (name): "Alice", "age": 27 + 1, "none": null, "list": [], "tags": ["a", [1, null], {}, -2.5,],
            "address": { "zip": null, "geo": { "lat": 1.0 } }, "big": u64::MAX,
        };
        assert_eq!(object.len(), 7);
        assert_eq!(object["age"], Value::Int(28));
        assert_eq!(object["tags"].as_array().map(Vec::len), Some(4));
        assert_eq!(format!("{:?}", object["address"]), r#"{"zip": null, "geo": {"lat": 1.0}}"#);
        assert!(matches!(object["big"], Value::UInt(u64::MAX)));
        assert!(object! {}.is_empty());
    }
}
