//! Files of mongoexport, in both of its forms, with a value of every type: imported, exported, and
//! imported again.

use std::fs;
use std::path::Path;

use velocitydb::Object;

use crate::program::shell;

/// The fields of the one document of a file.
fn fields(text: &str) -> Object {
    let mut object = Object::from_json(text.trim()).unwrap();
    for name in ["_version", "_created", "_modified"] {
        object.remove(name);
    }
    object
}

#[test]
fn every_type_comes_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let run = |line: String| {
        let outcome = shell(folder.path(), &line);
        assert_eq!(outcome.code, Some(0), "{line}\n{}", outcome.stderr);
        outcome.stdout
    };
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mongoexport");
    let mut exported = Vec::new();
    for form in ["canonical", "relaxed"] {
        let file = source.join(format!("{form}.jsonl"));
        let given = fields(&fs::read_to_string(&file).unwrap());
        run(format!("velocitydb insert {form} --many --file {}", file.display()));
        let text = run(format!("velocitydb list {form} --format json"));
        assert!(fields(&text).is_identical(&given), "{text}\n{given}");
        // What was exported is read as the same values.
        fs::write(folder.path().join("exported.jsonl"), &text).unwrap();
        run(format!("velocitydb insert again-{form} --many --file exported.jsonl"));
        let again = run(format!("velocitydb list again-{form} --format json"));
        assert!(fields(&again).is_identical(&given), "{again}\n{given}");
        exported.push(fields(&again));
    }
    assert!(exported[0].is_identical(&exported[1]), "{}\n{}", exported[0], exported[1]);
}
