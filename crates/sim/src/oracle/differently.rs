//! What mingo is asked in other words, since it would answer the words themselves wrongly: a time
//! truncated in a zone, shown as clocks there do. Mingo truncates in UTC and shifts afterwards; it
//! does show times in zones, and a format can have zeros in it.

use velocitydb_core::{Object, Value, value};

/// The format in which truncated times are shown.
pub const CLOCK: &str = "%Y-%m-%dT%H:%M:%S.%L";

/// The query as it is for mingo.
pub fn for_mingo(query: &Value) -> Value {
    match query {
        Value::Array(items) => Value::Array(items.iter().map(for_mingo).collect()),
        Value::Object(object) => truncated_text(object).unwrap_or_else(|| {
            object.iter().map(|(name, value)| (name, for_mingo(value))).collect::<Object>().into()
        }),
        _ => query.clone(),
    }
}

/// The other words for a truncated time as text, if it is one, in one zone throughout.
fn truncated_text(object: &Object) -> Option<Value> {
    let text = object.get("$dateToString")?.as_object()?;
    let truncated = text.get("date")?.as_object()?.get("$dateTrunc")?.as_object()?;
    let zone = text.get("timezone")?;
    if text["format"] != CLOCK.into() || truncated.get("timezone") != Some(zone) {
        return None;
    }
    let format = match truncated["unit"].as_str()? {
        "year" => "%Y-01-01T00:00:00.000",
        "month" => "%Y-%m-01T00:00:00.000",
        "day" => "%Y-%m-%dT00:00:00.000",
        "hour" => "%Y-%m-%dT%H:00:00.000",
        "minute" => "%Y-%m-%dT%H:%M:00.000",
        _ => return None,
    };
    let date = truncated["date"].clone();
    Some(value!({ "$dateToString": { "date": date, "format": format, "timezone": zone.clone() } }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truncating_becomes_a_format_with_zeros() {
        let query = value!([{ "$project": { "r": { "$dateToString": {
            "date": { "$dateTrunc": { "date": "$t", "unit": "day", "timezone": "+05:30" } },
            "format": CLOCK,
            "timezone": "+05:30",
        } } } }]);
        let asked = value!([{ "$project": { "r": { "$dateToString": {
            "date": "$t", "format": "%Y-%m-%dT00:00:00.000", "timezone": "+05:30",
        } } } }]);
        assert_eq!(for_mingo(&query), asked);
        assert_eq!(for_mingo(&asked), asked);
    }
}
