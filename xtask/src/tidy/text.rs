//! Rules about every text file, whatever its language.

use crate::report::Violation;

/// Paths that exist on one machine only. They are split here, since this file is checked as
/// well.
const MACHINE_PATHS: &[&str] =
    &[concat!("/", "work/"), concat!("/", "root/"), concat!("/tmp/", "target")];

/// Hosts that belong in cargo's configuration.
const REGISTRY_HOSTS: &[&str] = &[concat!("index.", "crates.io"), concat!("static.", "crates.io")];

/// No tabs, no space at the end of a line, a newline at the end of the file.
pub fn has_clean_whitespace(path: &str, contents: &str) -> Vec<Violation> {
    let mut found = Vec::new();
    for (index, line) in contents.split('\n').enumerate() {
        if line.contains('\t') {
            found.push(violation(path, index, "a tab", "indent with spaces"));
        }
        if line.ends_with(char::is_whitespace) {
            found.push(violation(path, index, "space at the end", "delete it"));
        }
    }
    if !contents.is_empty() && !contents.ends_with('\n') {
        let last = contents.lines().count() - 1;
        found.push(violation(path, last, "no newline at the end", "add one"));
    }
    found
}

/// No absolute path of a developer's machine.
pub fn names_no_machine(path: &str, contents: &str) -> Vec<Violation> {
    // After one of these characters the slash continues a relative path or an address.
    let goes_on = |c: char| c.is_alphanumeric() || "._-)}".contains(c);
    let is_absolute = |line: &str, forbidden: &str| {
        line.match_indices(forbidden).any(|(at, _)| !line[..at].ends_with(goes_on))
    };
    forbidden(path, contents, MACHINE_PATHS, is_absolute, "use a relative path, or a parameter")
}

/// No host name of a package registry.
pub fn names_no_registry(path: &str, contents: &str) -> Vec<Violation> {
    let contains = |line: &str, host: &str| line.contains(host);
    let remedy = "leave registries to cargo's own configuration";
    forbidden(path, contents, REGISTRY_HOSTS, contains, remedy)
}

fn forbidden(
    path: &str,
    contents: &str,
    words: &[&str],
    stands_in: impl Fn(&str, &str) -> bool,
    remedy: &'static str,
) -> Vec<Violation> {
    let mut found = Vec::new();
    for (index, line) in contents.lines().enumerate() {
        for word in words.iter().filter(|word| stands_in(line, word)) {
            found.push(violation(path, index, &format!("`{word}`"), remedy));
        }
    }
    found
}

fn violation(path: &str, index: usize, what: &str, remedy: &'static str) -> Violation {
    Violation { place: format!("{path}:{}", index + 1), what: what.to_string(), remedy }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(rule: fn(&str, &str) -> Vec<Violation>, contents: &str) -> Vec<String> {
        rule("a", contents).into_iter().map(|violation| violation.place).collect()
    }

    #[test]
    fn stray_whitespace_is_caught() {
        assert_eq!(places(has_clean_whitespace, ""), [""; 0]);
        assert_eq!(places(has_clean_whitespace, "a\n\n  b\n"), [""; 0]);
        assert_eq!(
            places(has_clean_whitespace, "a\n\tb\nc \nd\r\ne"),
            ["a:2", "a:3", "a:4", "a:5"]
        );
    }

    #[test]
    fn paths_of_a_machine_are_caught() {
        for path in MACHINE_PATHS {
            let contents = format!("a\ncd {path}b\n\"{path}\"\ndocs{path}b\nhttps://a.b{path}c\n");
            assert_eq!(places(names_no_machine, &contents), ["a:2", "a:3"]);
        }
    }

    #[test]
    fn hosts_of_registries_are_caught() {
        for host in REGISTRY_HOSTS {
            let contents = format!("https://crates.io\nsparse+https://{host}/\n");
            assert_eq!(places(names_no_registry, &contents), ["a:2"]);
        }
    }
}
