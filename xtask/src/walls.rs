//! `cargo xtask walls`: which crate may depend on which.
//!
//! The table below is the architecture; `docs/architecture.md` says why. Inside the workspace every
//! kind of dependency counts, those of tests too. A crate of the workspace without a row is a
//! violation, a row without a crate is not: crates are added when they are needed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::Value;

use crate::error::Error;
use crate::project::{Invocation, Project, expect_no_arguments};
use crate::report::{self, Violation};

/// The line of this command in the usage.
pub const SUMMARY: &str = "check which crate may depend on which";

/// Each crate with the crates of the workspace that it may depend on. `velocitydb-sim` and
/// `velocitydb-bench` are in no list: nothing may depend on them.
const WALLS: &[(&str, &[&str])] = &[
    ("velocitydb-core", &[]),
    ("velocitydb-storage", &[]),
    ("velocitydb", &["velocitydb-core", "velocitydb-storage"]),
    ("velocitydb-cluster", &["velocitydb", "velocitydb-core", "velocitydb-storage"]),
    ("velocitydb-server", BELOW_SERVER),
    ("velocitydb-client", &["velocitydb-core"]),
    ("velocitydb-cli", PUBLISHED),
    ("velocitydb-sim", PUBLISHED),
    ("velocitydb-bench", PUBLISHED),
    ("xtask", &[]),
];

const BELOW_SERVER: &[&str] =
    &["velocitydb", "velocitydb-cluster", "velocitydb-core", "velocitydb-storage"];

const PUBLISHED: &[&str] = &[
    "velocitydb",
    "velocitydb-client",
    "velocitydb-cluster",
    "velocitydb-core",
    "velocitydb-server",
    "velocitydb-storage",
];

/// The embedded library, and the crates that must not be among its direct and indirect
/// dependencies.
const EMBEDDED: &str = "velocitydb";
const NOT_EMBEDDED: &[&str] = &["tokio", "openraft"];

/// Checks the walls of the workspace.
pub fn run(project: &Project, arguments: &[String]) -> Result<(), Error> {
    expect_no_arguments(arguments)?;
    report::settle("walls", &check(project)?)
}

/// The violations of the workspace.
pub fn check(project: &Project) -> Result<Vec<Violation>, Error> {
    Ok(violations(&Graph::parse(&metadata(project)?)?))
}

/// Cargo's metadata of the workspace on this platform. Without the platform, cargo would need the
/// sources of crates that are only built on others.
fn metadata(project: &Project) -> Result<Value, Error> {
    let host = answer(project, &Invocation::rustc("--print host-tuple"))?;
    let invocation = Invocation::cargo("metadata --format-version 1 --filter-platform")
        .with_arguments(&[host.trim().to_string()]);
    serde_json::from_str(&answer(project, &invocation)?)
        .map_err(|error| Error::Metadata { problem: error.to_string() })
}

fn answer(project: &Project, invocation: &Invocation) -> Result<String, Error> {
    let output = project.capture(invocation)?;
    if !output.status.success() {
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        return Err(invocation.failed());
    }
    String::from_utf8(output.stdout).map_err(|error| Error::Metadata { problem: error.to_string() })
}

/// The part of the metadata that the check uses.
#[derive(Debug, Default)]
struct Graph {
    /// Crates of the workspace, with the names of all dependencies in their manifests.
    workspace: BTreeMap<String, BTreeSet<String>>,
    /// Every package id with the ids of its dependencies (except those of tests and build scripts).
    built_with: BTreeMap<String, Vec<String>>,
    /// The name of every package id.
    names: BTreeMap<String, String>,
}

impl Graph {
    fn parse(metadata: &Value) -> Result<Self, Error> {
        let mut graph = Self::default();
        let members: BTreeSet<&str> =
            array(metadata, "workspace_members")?.iter().filter_map(Value::as_str).collect();
        for package in array(metadata, "packages")? {
            let (id, name) = (text(package, "id")?, text(package, "name")?);
            graph.names.insert(id.to_string(), name.to_string());
            if members.contains(id) {
                let declared = array(package, "dependencies")?.iter();
                let declared = declared.map(|dependency| text(dependency, "name"));
                let declared: Result<BTreeSet<_>, _> = declared.collect();
                let declared = declared?.into_iter().map(str::to_string).collect();
                graph.workspace.insert(name.to_string(), declared);
            }
        }
        let resolve = metadata.get("resolve").unwrap_or(&Value::Null);
        for node in array(resolve, "nodes")? {
            let mut built_with = Vec::new();
            for dependency in array(node, "deps")? {
                // The kind of an ordinary dependency is null.
                let mut kinds = array(dependency, "dep_kinds")?.iter();
                if kinds.any(|kind| kind.get("kind").is_none_or(Value::is_null)) {
                    built_with.push(text(dependency, "pkg")?.to_string());
                }
            }
            graph.built_with.insert(text(node, "id")?.to_string(), built_with);
        }
        Ok(graph)
    }

    fn name(&self, id: &str) -> String {
        self.names.get(id).map_or_else(|| id.to_string(), Clone::clone)
    }

    /// The shortest chain of names from one package to a dependency, if any.
    fn chain(&self, from: &str, to: &str) -> Option<Vec<String>> {
        let start = self.names.iter().find(|(_, name)| *name == from)?.0;
        let mut reached = BTreeSet::from([start.as_str()]);
        let mut queue = VecDeque::from([vec![start.as_str()]]);
        while let Some(path) = queue.pop_front() {
            let last = *path.last()?;
            if self.name(last) == to {
                return Some(path.into_iter().map(|id| self.name(id)).collect());
            }
            for next in self.built_with.get(last).into_iter().flatten() {
                if reached.insert(next) {
                    queue.push_back([path.as_slice(), &[next.as_str()]].concat());
                }
            }
        }
        None
    }
}

fn violations(graph: &Graph) -> Vec<Violation> {
    let mut found = Vec::new();
    for (name, declared) in &graph.workspace {
        let Some((_, allowed)) = WALLS.iter().find(|(known, _)| known == name) else {
            found.push(Violation {
                place: name.clone(),
                what: "the crate has no wall".to_string(),
                remedy: "make it a module, or give it a row in xtask/src/walls.rs and say in \
                         docs/architecture.md how it earns it",
            });
            continue;
        };
        let neighbours = declared.iter().filter(|other| graph.workspace.contains_key(*other));
        for other in neighbours.filter(|other| !allowed.contains(&other.as_str())) {
            found.push(Violation {
                place: name.clone(),
                what: format!("depends on {other}, which it may not know"),
                remedy: "move the code to the side of the wall on which it belongs",
            });
        }
    }
    for banned in NOT_EMBEDDED {
        if let Some(chain) = graph.chain(EMBEDDED, banned) {
            found.push(Violation {
                place: EMBEDDED.to_string(),
                what: format!("is built with {banned}: {}", chain.join(" -> ")),
                remedy: "drop the dependency or the feature that brings it in",
            });
        }
    }
    found
}

fn array<'a>(value: &'a Value, key: &str) -> Result<&'a Vec<Value>, Error> {
    let missing = || Error::Metadata { problem: format!("no list `{key}`") };
    value.get(key).and_then(Value::as_array).ok_or_else(missing)
}

fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str, Error> {
    let missing = || Error::Metadata { problem: format!("no text `{key}`") };
    value.get(key).and_then(Value::as_str).ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A package: its name, the dependencies in its manifest, and those that it is built with.
    type Package<'a> = (&'a str, &'a [&'a str], &'a [&'a str]);

    fn id(name: &str) -> String {
        format!("id of {name}")
    }

    fn declared(name: &&str) -> Value {
        json!({ "name": name, "kind": "dev" })
    }

    fn built_with(name: &&str) -> Value {
        json!({ "pkg": id(name), "dep_kinds": [{ "kind": "build" }, { "kind": null }] })
    }

    fn tested_with(name: &&str) -> Value {
        json!({ "pkg": id(name), "dep_kinds": [{ "kind": "dev" }, { "kind": "build" }] })
    }

    /// The violations of a hand-made workspace, whose crates are those called `velocitydb…`.
    fn planted(packages: &[Package<'_>], edge: fn(&&str) -> Value) -> Vec<String> {
        let mut members = Vec::new();
        let mut listed = Vec::new();
        let mut nodes = Vec::new();
        for (name, declares, depends) in packages {
            if name.starts_with("velocitydb") {
                members.push(id(name));
            }
            let declares: Vec<Value> = declares.iter().map(declared).collect();
            listed.push(json!({ "id": id(name), "name": name, "dependencies": declares }));
            let depends: Vec<Value> = depends.iter().map(edge).collect();
            nodes.push(json!({ "id": id(name), "deps": depends }));
        }
        let metadata = json!({
            "workspace_members": members,
            "packages": listed,
            "resolve": { "nodes": nodes },
        });
        let graph = Graph::parse(&metadata).unwrap();
        violations(&graph).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn this_workspace_keeps_its_walls() {
        let found = check(&Project::find().unwrap()).unwrap();
        assert_eq!(found, []);
    }

    #[test]
    fn allowed_dependencies_pass() {
        let workspace: &[Package<'_>] = &[
            ("velocitydb", &["velocitydb-core", "velocitydb-storage", "serde"], &["serde"]),
            ("velocitydb-core", &["serde"], &["serde"]),
            ("velocitydb-storage", &[], &[]),
            ("velocitydb-sim", &["velocitydb", "velocitydb-cluster"], &[]),
            ("serde", &["tokio"], &[]),
        ];
        assert_eq!(planted(workspace, built_with), Vec::<String>::new());
    }

    #[test]
    fn every_forbidden_edge_is_caught() {
        let names: Vec<&str> = WALLS.iter().map(|(name, _)| *name).collect();
        for (from, allowed) in WALLS.iter().filter(|(name, _)| name.starts_with("velocitydb")) {
            for to in names.iter().filter(|name| name.starts_with("velocitydb") && *name != from) {
                let found = planted(&[(from, &[to], &[]), (to, &[], &[])], built_with);
                assert_eq!(found.is_empty(), allowed.contains(to), "{from} -> {to}: {found:?}");
            }
        }
    }

    #[test]
    fn nothing_may_depend_on_the_simulation_or_the_benchmarks() {
        for (name, allowed) in WALLS {
            for lonely in ["velocitydb-sim", "velocitydb-bench"] {
                assert!(!allowed.contains(&lonely), "{name} may depend on {lonely}");
            }
        }
    }

    #[test]
    fn a_runtime_under_the_embedded_library_is_caught_with_its_chain() {
        let workspace: &[Package<'_>] = &[
            ("velocitydb", &["lsm"], &["lsm"]),
            ("lsm", &["tokio"], &["velocitydb", "tokio"]),
            ("tokio", &[], &[]),
        ];
        let found = planted(workspace, built_with);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("is built with tokio: velocitydb -> lsm -> tokio"), "{found:?}");
        assert_eq!(planted(workspace, tested_with), Vec::<String>::new());
    }

    #[test]
    fn a_crate_without_a_wall_is_caught() {
        let found = planted(&[("velocitydb-extras", &[], &[])], built_with);
        assert!(found[0].starts_with("velocitydb-extras: the crate has no wall"), "{found:?}");
    }

    #[test]
    fn metadata_of_another_shape_is_an_error() {
        let error = Graph::parse(&json!({ "packages": [] })).unwrap_err();
        assert_eq!(error.to_string(), "unexpected `cargo metadata`: no list `workspace_members`");
    }
}
