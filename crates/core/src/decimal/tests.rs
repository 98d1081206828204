//! Decimals by themselves: their parts, texts and arithmetic.

use super::*;

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn texts_come_back_with_their_digits() {
    for text in [
        "0",
        "-0",
        "1",
        "1.50",
        "-1.50",
        "0.001",
        "0.000001",
        "1E-7",
        "1.0E-7",
        "1E+3",
        "-1.23E+5",
        "0E+3",
        "0E-6176",
        "0E+6111",
        "0.000000",
        "0E-7",
        "1E-6176",
        "9.999999999999999999999999999999999E+6144",
        "1234567890123456789012345678901234",
        "Infinity",
        "-Infinity",
        "NaN",
    ] {
        assert_eq!(decimal(text).to_string(), text);
        assert!(Decimal::from_bits(decimal(text).to_bits()).is_identical(decimal(text)), "{text}");
    }
}

#[test]
fn texts_of_other_forms_are_read() {
    for (text, canonical) in [
        ("+1", "1"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1e3", "1E+3"),
        ("00012", "12"),
        ("1E+6144", "1.000000000000000000000000000000000E+6144"),
        ("10E-6177", "1E-6176"),
        ("12345678901234567890123456789012340", "1.234567890123456789012345678901234E+34"),
        ("0E+99999999999999999999", "0E+6111"),
        ("0e-7000", "0E-6176"),
        ("inf", "Infinity"),
        ("-INFINITY", "-Infinity"),
        ("nan", "NaN"),
    ] {
        assert_eq!(decimal(text).to_string(), canonical, "{text}");
    }
}

#[test]
fn what_is_not_exactly_a_decimal_is_refused_with_the_reason() {
    for (text, problem) in [
        ("", "not of the form"),
        ("-", "not of the form"),
        (".", "not of the form"),
        ("1 ", "not of the form"),
        ("0x1", "not of the form"),
        ("sNaN", "not of the form"),
        ("1e", "exponent is not an integer"),
        ("1e+-1", "exponent is not an integer"),
        ("12345678901234567890123456789012345", "more than 34 digits"),
        ("0.12345678901234567890123456789012345", "more than 34 digits"),
        ("1E+6145", "beyond the largest"),
        ("1E+99999999999999999999", "beyond the largest"),
        ("1E-6177", "below the smallest"),
    ] {
        let error = text.parse::<Decimal>().unwrap_err().to_string();
        assert!(error.contains(problem), "{text}: {error}");
    }
}

#[test]
fn bits_are_those_of_bson() {
    for (text, bits) in [
        ("1", 0x3040_0000_0000_0000_0000_0000_0000_0001_u128),
        ("-1.50", 0xb03c_0000_0000_0000_0000_0000_0000_0096),
        ("Infinity", 0x7800 << 112),
        ("-Infinity", 0xf800 << 112),
        ("NaN", 0x7c00 << 112),
    ] {
        assert_eq!(decimal(text).to_bits(), bits, "{text}");
    }
    // Not canonical: a coefficient that is too large, a large exponent's form, a NaN with a payload.
    assert_eq!(Decimal::from_bits(0x3041_ffff << 96 | u128::from(u64::MAX)).to_string(), "0");
    assert_eq!(Decimal::from_bits(0x6c10 << 112).to_string(), "0");
    assert!(Decimal::from_bits(0xfe00 << 112 | 7).is_identical(Decimal::NAN));
}

#[test]
fn results_have_the_digits_that_the_standard_says() {
    for (result, text) in [
        (decimal("1.50") + decimal("1.5"), "3.00"),
        (decimal("1.5") - decimal("1.50"), "0.00"),
        (decimal("1.20") * decimal("2"), "2.40"),
        (decimal("1") / decimal("3"), "0.3333333333333333333333333333333333"),
        (decimal("6") / decimal("2"), "3"),
        (decimal("1") / decimal("0"), "Infinity"),
        (decimal("0") / decimal("0"), "NaN"),
        (decimal("-7.5") % decimal("2"), "-1.5"),
        (decimal("1E+40") % decimal("7"), "4"),
        (decimal("5") % decimal("Infinity"), "5"),
        (
            decimal("9999999999999999999999999999999999") + decimal("1"),
            "1.000000000000000000000000000000000E+34",
        ),
        (decimal("9E+6144") + decimal("9E+6144"), "Infinity"),
        (-decimal("0"), "-0"),
        (decimal("2").sqrt(), "1.414213562373095048801688724209698"),
        (decimal("1").exp(), "2.718281828459045235360287471352662"),
        (decimal("10").ln(), "2.302585092994045684017991454684364"),
        (decimal("1000").log10(), "3"),
        (decimal("1.1").pow(decimal("2")), "1.21"),
        (decimal("2").pow(decimal("0.5")), "1.414213562373095048801688724209698"),
        (decimal("-1").sqrt(), "NaN"),
    ] {
        assert_eq!(result.to_string(), text);
    }
}

#[test]
fn rounding_moves_digits_as_it_says() {
    use Rounding::{Ceiling, Floor, HalfEven, Truncate};
    for (text, places, rounding, result) in [
        ("2.345", 2, HalfEven, "2.34"),
        ("2.355", 2, HalfEven, "2.36"),
        ("2.3451", 2, HalfEven, "2.35"),
        ("-2.349", 2, Truncate, "-2.34"),
        ("1.5", 3, HalfEven, "1.500"),
        ("1250", -2, HalfEven, "1.2E+3"),
        ("1.1", 0, Ceiling, "2"),
        ("-1.1", 0, Ceiling, "-1"),
        ("-1.1", 0, Floor, "-2"),
        ("0.4", -50, HalfEven, "0E+50"),
        ("1E-6176", 0, Ceiling, "1"),
        ("1E+40", 0, HalfEven, "1E+40"),
        ("Infinity", 0, HalfEven, "Infinity"),
    ] {
        assert_eq!(decimal(text).rounded(places, rounding).to_string(), result, "{text} {places}");
    }
}

#[test]
fn floats_become_decimals_of_15_digits() {
    for (float, text) in [
        (0.1, "0.100000000000000"),
        (1.0, "1.00000000000000"),
        (-2.5e300, "-2.50000000000000E+300"),
        (5e-324, "4.94065645841247E-324"),
        (0.0, "0"),
        (-0.0, "-0"),
        (f64::INFINITY, "Infinity"),
        (f64::NAN, "NaN"),
    ] {
        assert_eq!(Decimal::from_f64(float).to_string(), text);
    }
    assert_eq!(decimal("0.1").to_f64(), 0.1);
    assert_eq!(decimal("1E+400").to_f64(), f64::INFINITY);
    assert!(decimal("NaN").to_f64().is_nan());
}

#[test]
fn the_order_is_that_of_the_numbers() {
    let ascending = [
        "NaN",
        "-Infinity",
        "-1E+6144",
        "-10",
        "-1.5",
        "-1E-6176",
        "0",
        "1E-6176",
        "0.1",
        "1",
        "1.000000001",
        "2",
        "1E+33",
        "9999999999999999999999999999999999",
        "1E+34",
        "1E+6144",
        "Infinity",
    ]
    .map(decimal);
    for (i, a) in ascending.iter().enumerate() {
        for (j, b) in ascending.iter().enumerate() {
            assert_eq!(a.cmp(b), i.cmp(&j), "{a} {b}");
        }
    }
    for (a, b) in [("1.5", "1.50"), ("0", "-0"), ("0E+9", "0E-9"), ("1E+3", "1000"), ("NaN", "nan")]
    {
        assert_eq!(decimal(a), decimal(b));
    }
}

#[test]
fn integers_are_taken_exactly_or_to_the_nearest() {
    assert_eq!(Decimal::from(u64::MAX).to_string(), "18446744073709551615");
    assert_eq!(Decimal::nearest(i128::MAX).to_string(), "1.701411834604692317316873037158841E+38");
    assert_eq!(
        Decimal::nearest(10_i128.pow(35) - 1).to_string(),
        "1.000000000000000000000000000000000E+35"
    );
    assert_eq!(decimal("-1.9").to_integer(), Some(-1));
    assert_eq!(decimal("1E+30").to_integer(), Some(10_i128.pow(30)));
    assert_eq!(decimal("1E+300").to_integer(), None);
    assert!(decimal("1.00").is_whole() && !decimal("1.01").is_whole() && !Decimal::NAN.is_whole());
}
