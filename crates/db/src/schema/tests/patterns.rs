//! Patterns are ECMA-262's. The library that validates read them as Rust's where the two differ:
//! `\b` knew the letters of all scripts, `[^]`, `[]`, `\0`, `[\b]` and surrogate pairs were refused,
//! and `(?i)`, which is none, was taken.

use velocitydb_core::{Encoded, Object, object};

use super::helpers::{refusal, schema, verdict};

fn matches(pattern: &str, text: &str) -> bool {
    let of_value = schema(&object! { "properties": { "v": { "pattern": pattern } } }.to_json());
    let document = Encoded::from_object(&object! { "v": text }).unwrap();
    let found = verdict(&of_value, &document);
    // Names are matched by another part of the validator, and must be matched alike.
    let of_names = schema(&object! { "patternProperties": { pattern: false } }.to_json());
    let named = Encoded::from_object(&Object::from([(text, 1)])).unwrap();
    let by_name = verdict(&of_names, &named);
    assert_eq!(found == "valid", by_name != "valid", "{pattern} {text:?}: {found}, {by_name}");
    if found != "valid" {
        assert!(found.contains("must match the pattern"), "{found}");
    }
    found == "valid"
}

#[test]
fn patterns_match_as_ecma_262_says() {
    for (pattern, matching, others) in [
        (r"\bcaf\b", &["café", "a caf b"][..], &["cafe"][..]),
        (r"é\b", &["éa"], &["é", "é "]),
        (r"\Bé", &["é", " é"], &["aé"]),
        (r"a\Bb", &["ab"], &["a b", "a"]),
        (r"^[^]$", &["\n", "x", "é", "😀"], &["", "xx"]),
        (r"a[]?b", &["ab"], &["a", "b"]),
        ("[]", &[], &["", "a", "]"]),
        (r"^\0$", &["\0"], &["0", ""]),
        (r"^[\b]$", &["\u{8}"], &["b", "\\"]),
        (r"^\uD83D\uDE00$", &["😀"], &["\u{fffd}"]),
        (r"^[\uD83D\uDE00-\uD83D\uDE02]$", &["😀", "😁"], &["😃"]),
        (r"^\u{1F600}$", &["😀"], &["u"]),
        (r"^[\uD800-\uDFFF]?x$", &["x"], &["\u{e000}x"]),
        (r"^[\uD800-\uFFFF]$", &["\u{e000}", "\u{ffff}"], &["a"]),
        (r"^\d$", &["7"], &["٣"]),
        (r"^[\D]$", &["٣", "a"], &["7"]),
        (r"^\w+$", &["a_9"], &["é"]),
        (r"^[^\W]$", &["a"], &["é", "-"]),
        (r"^\s$", &["\u{feff}", "\u{a0}", "\t"], &["\u{85}", "x"]),
        (r"^\S$", &["\u{85}"], &["\u{2028}"]),
        ("^.$", &["é", "\u{85}"], &["\n", "\r", "\u{2028}"]),
        (r"^\cJ$", &["\n"], &["J"]),
        (r"^\x41\v\f$", &["A\u{b}\u{c}"], &["a"]),
        (r"^\p{Lu}\P{L}$", &["É1"], &["é1", "ÉÉ"]),
        (r"^\p{Script=Greek}+$", &["αβγ"], &["abc"]),
        (r"^[\p{L}&&[a-z]+$", &["é&&["], &["1"]),
        (r"^[+--a~~]+$", &["+,-a~"], &["`", "."]),
        (r"^[\w-]+$", &["a-b"], &["é"]),
        (r"^[a\-z]+$", &["a-z"], &["b"]),
        (r"^[\d-x]+$", &["1-x"], &["a"]),
        ("^(?<year>[0-9]{4})-(?:[0-9]{2})$", &["2026-11"], &["26-11"]),
        ("^a{2}b{1,}c{0,1}?$", &["aab", "aabbc"], &["ab"]),
        (r"^{a}$", &["{a}"], &["a"]),
        (r"^a{,2}$", &["a{,2}"], &["aa"]),
        (r"^x\-y\/z\@\_$", &["x-y/z@_"], &["x"]),
        ("^(a|b|c)$", &["a", "c"], &["d", "ab"]),
        ("^$", &[""], &["a", "\n"]),
        ("a$|^b", &["ca", "bc"], &["ab\n", "cb"]),
    ] {
        for text in matching {
            assert!(matches(pattern, text), "{pattern} does not match {text:?}");
        }
        for text in others {
            assert!(!matches(pattern, text), "{pattern} matches {text:?}");
        }
    }
}

#[test]
fn what_is_no_pattern_of_ecma_262_is_refused_with_its_place() {
    for (pattern, expected) in [
        ("(?i)a", "no flags"),
        ("(?i:a)", "no flags"),
        ("(?P<n>a)", "no flags"),
        (r"\a", "no escape"),
        (r"\Z", "no escape"),
        (r"\A", "no escape"),
        (r"\xg", "hexadecimal"),
        (r"\u12", "hexadecimal"),
        (r"\u{110000}", "no code point"),
        (r"\p{NoSuchThing}", "is not a regular expression"),
        (r"\pL", "no Unicode property"),
        ("a**", "repeats nothing"),
        ("*a", "repeats nothing"),
        ("^+", "repeats nothing"),
        (r"\b?", "repeats nothing"),
        ("a{2,1}", "wrong way round"),
        ("[b-a]", "wrong way round"),
        ("[a", "not closed"),
        ("(a", "not closed"),
        ("a)", "not open"),
        ("(?<1>a)", "not a name"),
        ("\\", "escapes nothing"),
        (r"(a)\1", "backreference"),
        (r"\k<n>", "backreference"),
        ("(?<=a)b", "look-around"),
    ] {
        let text = object! { "properties": { "v": { "pattern": pattern } } }.to_json();
        let error = refusal(&text);
        assert!(error.contains(expected), "{pattern}: {error}");
        assert!(error.contains("properties.v.pattern"), "{pattern}: {error}");
    }
}

/// Two patterns that mean the same are two all the same, and a violation shows what was written.
#[test]
fn patterns_keep_how_they_are_written() {
    let json =
        r#"{"patternProperties": {"^\\d$": {"type": "string"}, "^[0-9]$": {"minLength": 2}}}"#;
    let both = schema(json);
    let document = |value: velocitydb_core::Value| {
        Encoded::from_object(&Object::from([("7", value)])).unwrap()
    };
    assert!(verdict(&both, &document(1.into())).contains("must be of type string"));
    assert!(verdict(&both, &document("x".into())).contains("at least 2 characters"));
    assert_eq!(verdict(&both, &document("xy".into())), "valid");
    let shown = schema(r#"{"properties": {"v": {"pattern": "^\\d\\b.$"}}}"#);
    let document = Encoded::from_object(&object! { "v": "x" }).unwrap();
    let expected = r#""v" must match the pattern ^\d\b.$, and is "x""#;
    assert_eq!(verdict(&shown, &document), expected);
}
