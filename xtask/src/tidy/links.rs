//! The rule that relative links in Markdown lead to files of the repository.
//!
//! CAVEATS. Anchors are not checked, and neither are links that span lines.

use std::path::{Component, Path, PathBuf};

use crate::report::Violation;

/// Every relative link of a Markdown file leads to a file or folder below `root`.
pub fn resolve(root: &Path, path: &str, contents: &str) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut is_fenced = false;
    for (index, line) in contents.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            is_fenced = !is_fenced;
        } else if !is_fenced {
            let line = without_code(line);
            for target in targets(&line).filter(|target| !is_reached(root, path, target)) {
                found.push(Violation {
                    place: format!("{path}:{}", index + 1),
                    what: format!("the link to `{target}` leads nowhere"),
                    remedy: "link to a file of the repository, relative to this one",
                });
            }
        }
    }
    found
}

/// The line without the text between backticks.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("``")
}

/// The targets of the links of a line: `[text](target "title")` and `[name]:
/// target`.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    let inline = line.match_indices("](").filter_map(|(at, mark)| {
        let target = &line[at + mark.len()..];
        target.split_once(')').map(|(target, _)| target)
    });
    let defined = line.starts_with('[').then(|| line.split_once("]: ")).flatten().map(|it| it.1);
    inline.chain(defined).filter_map(|target| target.split_whitespace().next())
}

fn is_reached(root: &Path, path: &str, target: &str) -> bool {
    let target = target.trim_start_matches('<').trim_end_matches('>');
    let has_scheme = target.split('/').next().is_some_and(|first| first.contains(':'));
    let file = target.split('#').next().unwrap_or(target);
    if has_scheme || file.is_empty() {
        return true;
    }
    inside(Path::new(path).parent().unwrap_or(Path::new("")), Path::new(file))
        .is_some_and(|file| root.join(file).exists())
}

/// The target relative to the top of the repository; `None` if it is outside.
fn inside(folder: &Path, target: &Path) -> Option<PathBuf> {
    let mut reached = folder.to_path_buf();
    for component in target.components() {
        match component {
            Component::Normal(name) => reached.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !reached.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(reached)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::Project;

    fn broken(path: &str, contents: &str) -> Vec<String> {
        let found = resolve(&Project::find().unwrap().root, path, contents);
        found.into_iter().map(|violation| violation.what).collect()
    }

    #[test]
    fn links_that_lead_somewhere_pass() {
        let contents = "[a](LICENSE) [b](./xtask/src/main.rs#L1 \"title\") [c](<xtask>)\n\
            [d](https://example.com/x) [e](mailto:a@example.com) [f](#g)\n[h]: LICENSE\n";
        assert_eq!(broken("README.md", contents), [""; 0]);
        assert_eq!(broken("docs/a.md", "[a](../LICENSE)\n"), [""; 0]);
        assert_eq!(broken("a.md", "`[a](b)`\n```text\n[a](b)\n```\n"), [""; 0]);
    }

    #[test]
    fn links_that_lead_nowhere_are_caught() {
        for (contents, target) in [
            ("see [a](missing.md)\n", "missing.md"),
            ("[a](docs/missing.md#b)\n", "docs/missing.md#b"),
            ("[a](../LICENSE)\n", "../LICENSE"),
            ("[a](/LICENSE)\n", "/LICENSE"),
            ("[a]: missing.md\n", "missing.md"),
        ] {
            let expected = format!("the link to `{target}` leads nowhere");
            assert_eq!(broken("README.md", contents), [expected], "{contents}");
        }
    }
}
