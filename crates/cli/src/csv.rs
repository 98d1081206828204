//! Comma-separated values (RFC 4180): a header, and a row for each document. A line break inside of a value
//! is a part of the format; other control characters are escaped, as everywhere.

use csv::{Terminator, WriterBuilder};
use velocitydb::{InputError, METADATA, Object, Path, Value};

use crate::table::plain;

/// The columns of a table of comma-separated values, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    paths: Vec<Path>,
}

impl Columns {
    /// Reads dotted paths with commas between them.
    pub fn parse(text: &str) -> Result<Self, InputError> {
        let paths = text.split(',').map(|path| path.trim().parse());
        Ok(Columns { paths: paths.collect::<Result<_, _>>()? })
    }

    /// Whether a column is, or is part of, what the database knows about a document.
    pub fn have_metadata(&self) -> bool {
        self.paths.iter().any(|path| path.segments()[0].name() == METADATA)
    }

    /// The line with the names of the columns.
    pub fn header(&self) -> String {
        line(self.paths.iter().map(Path::to_string))
    }

    /// The line of an object. What it does not have, and null, is empty.
    pub fn row(&self, object: &Object) -> String {
        line(self.paths.iter().map(|path| path.get(object).map_or_else(String::new, cell)))
    }
}

/// A value without quotes and types, as other programs read it; arrays, objects and what has no text of its own
/// as JSON.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        value => plain(value),
    }
}

/// The cells, quoted where it is needed.
fn line(cells: impl Iterator<Item = String>) -> String {
    let mut writer =
        WriterBuilder::new().terminator(Terminator::Any(b'\n')).from_writer(Vec::new());
    writer.write_record(cells).expect("a record is written to memory");
    let mut line = writer.into_inner().expect("a record is written to memory");
    line.pop();
    String::from_utf8(line).expect("cells are text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_text_that_other_programs_read() {
        let object = Object::from_json(
            r#"{"_id": {"$oid": "6922d394a1b2c3d4e5f60718"}, "a": {"$numberDecimal": "1.50"},
            "b": {"$uuid": "01a207af-ef1a-7c1c-8707-070707070707"}, "c": "x, \"y\"\nz",
            "d": {"$date": "2026-01-01T00:00:00Z"}, "e": {"f": [1, 2.5]}, "g": null, "h": true,
            "i": {"$binary": {"base64": "AQI=", "subType": "05"}}, "j": {"$minKey": 1}}"#,
        )
        .unwrap();
        for (column, expected) in [
            ("_id", "6922d394a1b2c3d4e5f60718"),
            ("a", "1.50"),
            ("b", "01a207af-ef1a-7c1c-8707-070707070707"),
            ("c", "\"x, \"\"y\"\"\nz\""),
            ("d", "2026-01-01T00:00:00Z"),
            ("e.f", "\"[1,2.5]\""),
            ("e.f.1", "2.5"),
            ("h", "true"),
            ("i", r#""{""$binary"":{""base64"":""AQI="",""subType"":""05""}}""#),
            ("j", r#""{""$minKey"":1}""#),
        ] {
            assert_eq!(Columns::parse(column).unwrap().row(&object), expected, "{column}");
        }
        let columns = Columns::parse("h, g,nothing,a").unwrap();
        assert_eq!(columns.header(), "h,g,nothing,a");
        assert_eq!(columns.row(&object), "true,,,1.50");
        assert!(!columns.have_metadata());
        assert!(Columns::parse("_id,_meta.version").unwrap().have_metadata());
        assert!(Columns::parse("a,,b").is_err());
    }
}
