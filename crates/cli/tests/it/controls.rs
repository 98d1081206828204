//! Control characters of documents, names and arguments reach neither a terminal nor a pipe, whichever
//! command prints them.

use std::path::Path;

use velocitydb::Value;

use crate::program::{Outcome, shell};

/// A window's title, a bell, a cursor that goes back, a line that was not printed, and text that runs
/// backwards, as a JSON string has them.
const HOSTILE: &str = r"\u001b]0;x\u0007\r\n\u007f\u009b31m\u202e\u2066";

/// An id has no control characters of ASCII and Latin-1, but may have those of the direction.
const HOSTILE_ID: &str = r"id\u202e\u2066";

/// The same as the shell's `printf` writes it.
const RAW: &str = r"$(printf '\033]0;x\007\r\n\177\302\23331m\342\200\256\342\201\246')";

fn is_control(c: char) -> bool {
    c != '\n' && (c.is_control() || "\u{202e}\u{2066}".contains(c))
}

/// Runs a command, and checks what it prints.
fn checked(folder: &Path, line: &str) -> Outcome {
    let outcome = shell(folder, line);
    for (stream, text) in [("output", &outcome.stdout), ("error", &outcome.stderr)] {
        assert!(!text.contains(is_control), "standard {stream} of {line}: {text:?}");
        // What follows the line break begins a line only where that belongs to the format.
        let is_torn = text.lines().any(|line| line.trim_start().starts_with("\\u007f"));
        assert!(!is_torn || line.contains("--csv"), "standard {stream} of {line}: {text:?}");
    }
    outcome
}

#[test]
fn no_command_prints_them() {
    let folder = tempfile::tempdir().unwrap();
    let run = |line: &str| hostile(folder.path(), line);
    let id = &format!("'json:\"{HOSTILE_ID}\"'");
    let filter = r#"'{"nameHOSTILE": "valueHOSTILE"}'"#;
    run(r#"index create docs '{"nameHOSTILE": 1}' --name by_name --unique"#);
    let document =
        &format!(r#"'{{"_id": "{HOSTILE_ID}", "nameHOSTILE": "valueHOSTILE", "n": 1}}'"#);
    assert_eq!(run(&format!("insert docs {document}")).code, Some(0));
    let found = run("list docs");
    let text = Value::from_json(&format!("\"value{HOSTILE}\"")).unwrap();
    let object = Value::from_json(&found.stdout).unwrap();
    assert!(object.as_object().unwrap().values().any(|value| *value == text), "{}", found.stdout);

    let reads = [
        format!("get docs {id}"),
        format!("get docs {id} --meta --format table"),
        "list docs --format table".to_owned(),
        format!("list docs --csv {}", substituted("nameRAW,n")),
        format!("find docs {filter} --format table"),
        format!("find docs {filter} --first --format table"),
        format!("find docs --distinct {} --format table", substituted("nameRAW")),
        format!("explain docs {filter} --format table"),
        format!("explain docs {filter}"),
        r#"aggregate docs '[{"$group": {"_id": "$nameHOSTILE"}}]' --format table"#.to_owned(),
        "index list docs --format table".to_owned(),
        "collections --format table".to_owned(),
        "stats --format table".to_owned(),
        "doctor --format table".to_owned(),
    ];
    for read in reads {
        assert_eq!(run(&read).code, Some(0), "{read}");
    }

    let refused = [
        format!("insert docs {document}"),
        r#"insert docs '{"_id": "other", "nameHOSTILE": "valueHOSTILE"}'"#.to_owned(),
        r#"insert docs '{"_id": "otherHOSTILE"}'"#.to_owned(),
        format!("update docs {id} '{{\"$inc\": {{\"nameHOSTILE\": 1}}}}'"),
        r#"get docs 'json:"noneHOSTILE"'"#.to_owned(),
        r#"find docs '{"aHOSTILE": {"$gteHOSTILE": 1}}'"#.to_owned(),
        format!("find docs --distinct {}", substituted("..RAW")),
        r#"schema check docs '{"properties": {"nameHOSTILE": {"enum": ["xHOSTILE"]}}}'"#.to_owned(),
        r#"schema set docs '{"properties": {"nameHOSTILE": {"type": "integer"}}}'"#.to_owned(),
        format!("cas docs {id} --if-field {} --format table", substituted("nameRAW=1")),
        format!("complete docs {id} 7 '{{}}'"),
        format!("renew docs {id} 1 --lease 1s"),
        format!("release docs {id} 1"),
        format!("retry docs {id} 1 --in 1s --reason 'HOSTILE'"),
        r#"claim docs '{"xHOSTILE": 1}' --set 'a=1'"#.to_owned(),
        "index drop docs 'HOSTILE'".to_owned(),
    ];
    for refused in refused {
        assert_ne!(run(&refused).code, Some(0), "{refused}");
    }

    let changes = [
        format!("update docs {id} '{{\"n\": 2}}' --format table"),
        format!("claim docs {filter} --claimant 'HOSTILE' --format table"),
        format!("replace docs {id} {filter} --format table"),
        format!("cas docs {id} --set {} --format table", substituted("nameRAW='\"HOSTILE\"'")),
        format!("delete docs {id} --format table"),
        "collections drop docs --format table".to_owned(),
    ];
    for change in changes {
        assert_eq!(run(&change).code, Some(0), "{change}");
    }
}

fn hostile(folder: &Path, line: &str) -> Outcome {
    checked(folder, &format!("velocitydb {}", line.replace("HOSTILE", HOSTILE)))
}

/// Arguments are not JSON: they have the characters themselves.
#[test]
fn no_refused_argument_prints_them() {
    let folder = tempfile::tempdir().unwrap();
    shell(folder.path(), "velocitydb insert docs '{\"_id\": \"a\"}'");
    for line in [
        "RAW",
        "get RAW",
        "get RAW a",
        "get docs RAW",
        "get docs a --RAW",
        "get docs a --path RAW",
        "get docs a --consistency RAW",
        "insert docs RAW",
        "insert docs '{\"RAW\": 1'",
        "insert docs --file RAW",
        "find docs RAW",
        "find docs --sort RAW,,",
        "find docs --project RAW",
        "find docs --after RAW",
        "find docs --limit RAW",
        "list docs --csv RAW,,",
        "aggregate docs RAW",
        "claim docs '{}' --set RAW",
        "claim docs '{}' --set a=RAW",
        "update docs a '{\"$RAW\": 1}'",
        "collections create RAW",
        "collections drop RAW",
        "index create docs RAW,,",
        "index create docs a --name RAW",
        "index drop docs RAW",
        "schema set docs RAW",
        "schema show RAW",
        "upsert docs a '{}' --time-to-live RAW",
        "doctor RAW",
    ] {
        let line = substituted(line);
        let outcome = checked(folder.path(), &format!("velocitydb {line}"));
        assert_ne!(outcome.code, Some(0), "{line}: {}", outcome.stdout);
        assert_ne!(outcome.stderr, "", "{line}");
    }
}

/// The line with [`RAW`] in its place. Within single quotes a shell substitutes nothing, so they are closed
/// around it.
fn substituted(line: &str) -> String {
    let (mut substituted, mut is_quoted) = (String::new(), false);
    for (position, part) in line.split("RAW").enumerate() {
        if position > 0 {
            let quote = if is_quoted { "'" } else { "" };
            substituted += &format!("{quote}\"{RAW}\"{quote}");
        }
        is_quoted ^= part.matches('\'').count() % 2 == 1;
        substituted += part;
    }
    substituted
}
