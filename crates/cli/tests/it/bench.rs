//! `bench` measures something in every mode, and leaves nothing behind.

use std::fs;

use crate::program::shell;

#[test]
fn every_mode_is_measured_and_nothing_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    for mode in ["memory-only", "memory-first", "hybrid", "persistent"] {
        let line = format!("velocitydb bench --mode {mode} --seconds 0.01 --threads 2");
        let outcome = shell(folder.path(), &line);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{mode}");
        let lines: Vec<_> = outcome.stdout.lines().collect();
        assert_eq!(lines.len(), 4, "{}", outcome.stdout);
        for (line, operation) in lines.iter().zip(["insert", "get", "cas", "update"]) {
            assert!(line.contains(&format!("\"mode\":\"{mode}\"")), "{line}");
            assert!(line.contains(&format!("\"operation\":\"{operation}\"")), "{line}");
            assert!(!line.contains("\"operations\":0,"), "{line}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{mode}");
    }
}

#[test]
fn people_get_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let line = "velocitydb bench --mode memory-only --seconds 0.01 --format table";
    let outcome = shell(folder.path(), line);
    let first = outcome.stdout.lines().next().unwrap_or_default();
    assert_eq!(first, "memory-only, strong, 1 thread, documents of 200 bytes");
    let header = outcome.stdout.lines().nth(1).unwrap_or_default();
    let columns: Vec<_> = header.split_whitespace().collect();
    assert_eq!(columns, ["operation", "rate", "mean", "operations"]);
}
