//! `cargo xtask crash`: `kill -9` in a loop, with an auditor that records what was
//! acknowledged.
//!
//! This starts a program of the crate `velocitydb-sim`.

use crate::error::Error;
use crate::project::{Invocation, Project};

/// The line of this command in the usage.
pub const SUMMARY: &str = "kill -9 in a loop and audit; --cycles N --mode M --seed S --jobs J";

/// Runs the loop; `arguments` are passed on unchanged.
pub fn run(project: &Project, arguments: &[String]) -> Result<(), Error> {
    project.stream(&invocation(arguments))
}

/// Built for release, so that as much as possible is in flight when a worker is killed.
fn invocation(arguments: &[String]) -> Invocation {
    Invocation::cargo("run --quiet --release --package velocitydb-sim --bin crash --")
        .with_arguments(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_go_to_the_loop() {
        assert_eq!(
            invocation(&["--cycles".to_string(), "3".to_string()]).to_string(),
            "cargo run --quiet --release --package velocitydb-sim --bin crash -- --cycles 3"
        );
    }
}
