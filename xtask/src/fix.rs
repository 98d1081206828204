//! `cargo xtask fix`: automatic fixes by tools.

use crate::error::Error;
use crate::project::{Invocation, Project, expect_no_arguments};

/// The line of this command in the usage.
pub const SUMMARY: &str = "apply what clippy can fix, then format";

const CLIPPY: &str = "clippy --workspace --all-targets --fix --allow-dirty --allow-staged";

/// Applies clippy's suggestions and formats everything, also when clippy finds more than it can
/// fix.
pub fn run(project: &Project, arguments: &[String]) -> Result<(), Error> {
    expect_no_arguments(arguments)?;
    let linted = project.stream(&Invocation::cargo(CLIPPY));
    project.stream(&Invocation::cargo("fmt --all"))?;
    linted
}
