//! [`Table`]: columns of text for people.

use std::fmt;

use comfy_table::{ContentArrangement, TableComponent, presets};
use velocitydb::{Object, Value};

use crate::streams::{escape, is_control};

/// The width of a table if the terminal's is unknown.
const WIDTH_DEFAULT: u16 = 120;

/// How many characters of a value a table shows. More of them are not read in a column, and breaking a
/// text into lines takes a time that grows with the square of its length.
const CELL_CHARS_MAX: usize = 1_000;

/// How many characters the values of a column have at least, in a table that is as wide as the terminal.
const COLUMN_CHARS_MIN: usize = 16;

/// How many characters are between a value and the next.
const CELL_PADDING: usize = 2;

/// The width of the terminal.
fn width() -> u16 {
    terminal_size::terminal_size().map_or(WIDTH_DEFAULT, |(width, _)| width.0)
}

/// A table as wide as the terminal at the most, with a line below its header and no other. A line
/// break of its text makes no new row, since text is escaped.
pub struct Table {
    table: comfy_table::Table,
}

impl Table {
    /// Whether people can read a table with these columns: it is not wider than the terminal, or its
    /// columns are wide enough to break their values into lines.
    pub fn fits(columns: &[&str], objects: &[Object]) -> bool {
        let widest = |name: &&str| {
            let cells = objects.iter().filter_map(|object| object.get(name));
            cells.map(|value| cell(value).chars().count()).fold(name.chars().count(), usize::max)
        };
        let (width, count) = (usize::from(width()), columns.len());
        let needed = columns.iter().map(|name| widest(name) + CELL_PADDING).sum::<usize>();
        needed <= width || width / count >= COLUMN_CHARS_MIN
    }

    /// Without a header and without rows.
    pub fn new() -> Self {
        let mut table = comfy_table::Table::new();
        table
            .load_preset(presets::NOTHING)
            .set_style(TableComponent::HeaderLines, '─')
            .set_style(TableComponent::MiddleHeaderIntersections, '─')
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width());
        Table { table }
    }

    /// The names of its columns.
    pub fn header(&mut self, names: &[&str]) {
        self.table.set_header(names.iter().map(|name| escape(name)));
    }

    /// Adds a row.
    pub fn row<'t>(&mut self, cells: impl IntoIterator<Item = &'t str>) {
        self.table.add_row(cells.into_iter().map(escape));
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table.fmt(f)
    }
}

/// A value for people: strings without quotes, unless they are ambiguous without them or have control
/// characters, and truncated to [`CELL_CHARS_MAX`].
pub fn cell(value: &Value) -> String {
    let mut text = match value {
        Value::String(text) if is_clear(text) => text.clone(),
        value => plain(value),
    };
    if let Some((end, _)) = text.char_indices().nth(CELL_CHARS_MAX) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Whether a string is read as itself without quotes.
fn is_clear(text: &str) -> bool {
    !text.is_empty() && !text.contains(is_control) && Value::from_json(text).is_err()
}

/// Times, decimals, ObjectIds and UUIDs without their types; other values as JSON.
pub fn plain(value: &Value) -> String {
    match value {
        Value::Time(time) => time.to_string(),
        Value::Decimal(decimal) => decimal.to_string(),
        Value::ObjectId(id) => id.to_string(),
        value => value.as_uuid().map_or_else(|| value.to_json(), |id| id.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use velocitydb::object;

    use super::*;

    #[test]
    fn cells_keep_texts_and_numbers_apart() {
        let fields = object! { "a": "text", "b": "1", "c": 1, "d": 1.0, "e": "", "f": null };
        let cells: Vec<_> = fields.values().map(cell).collect();
        assert_eq!(cells, ["text", "\"1\"", "1", "1.0", "\"\"", "null"]);
    }

    #[test]
    fn cells_show_ids_and_decimals_without_their_types() {
        let fields = Object::from_json(
            r#"{"a": {"$numberDecimal": "1.50"}, "b": {"$oid": "6922d394a1b2c3d4e5f60718"},
            "c": {"$uuid": "01a207af-ef1a-7c1c-8707-070707070707"}, "d": {"$minKey": 1}}"#,
        )
        .unwrap();
        let cells: Vec<_> = fields.values().map(cell).collect();
        let uuid = "01a207af-ef1a-7c1c-8707-070707070707";
        assert_eq!(cells, ["1.50", "6922d394a1b2c3d4e5f60718", uuid, r#"{"$minKey":1}"#]);
    }

    #[test]
    fn a_table_of_many_narrow_columns_does_not_fit() {
        let wide = |count: usize, length: usize| {
            let fields = (0..count).map(|at| (format!("f{at}"), Value::from("x".repeat(length))));
            let object: Object = fields.collect();
            let columns: Vec<_> = object.keys().collect();
            Table::fits(&columns, std::slice::from_ref(&object))
        };
        assert!(wide(3, 1_000));
        assert!(wide(20, 3));
        assert!(!wide(20, 10));
    }

    #[test]
    fn a_line_break_makes_no_row() {
        let mut table = Table::new();
        table.header(&["a\nb"]);
        table.row([cell(&Value::from("c\nd")).as_str()]);
        let text = table.to_string();
        let rows: Vec<_> = text.lines().map(str::trim).collect();
        assert_eq!((rows.len(), rows[0], rows[2]), (3, "a\\nb", "\"c\\nd\""));
    }
}
