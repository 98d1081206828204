//! `cargo xtask test`: every test of the workspace, in cargo's order: unit tests and integration
//! tests crate by crate, then the examples in the documentation.

use crate::error::Error;
use crate::project::{Invocation, Project};

/// The line of this command in the usage.
pub const SUMMARY: &str = "build and run every test, doc tests too; arguments go to cargo test";

/// Runs the tests; `arguments` are passed to `cargo test` unchanged.
pub fn run(project: &Project, arguments: &[String]) -> Result<(), Error> {
    project.stream(&invocation(arguments))
}

/// The whole workspace, unless the arguments choose packages themselves. One failing test binary
/// does not keep the others from running.
pub fn invocation(arguments: &[String]) -> Invocation {
    let mut own = arguments.iter().take_while(|argument| *argument != "--");
    let base = if own.any(|argument| selects_packages(argument)) {
        "test --no-fail-fast"
    } else {
        "test --no-fail-fast --workspace"
    };
    Invocation::cargo(base).with_arguments(arguments)
}

fn selects_packages(argument: &str) -> bool {
    let name = argument.split('=').next().unwrap_or(argument);
    ["--package", "--workspace", "--all"].contains(&name) || name.starts_with("-p")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str) -> String {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_string).collect();
        invocation(&arguments).to_string()
    }

    #[test]
    fn the_workspace_is_the_default_and_packages_narrow_it() {
        assert_eq!(shown(""), "cargo test --no-fail-fast --workspace");
        assert_eq!(shown("codec"), "cargo test --no-fail-fast --workspace codec");
        assert_eq!(shown("-p xtask"), "cargo test --no-fail-fast -p xtask");
        assert_eq!(shown("--package=xtask"), "cargo test --no-fail-fast --package=xtask");
        assert_eq!(shown("-- -p"), "cargo test --no-fail-fast --workspace -- -p");
    }
}
