//! `cargo xtask miri`: runs the tests of the memory engine in an interpreter that detects undefined
//! behaviour of its unsafe code.
//!
//! Only nightly toolchains have Miri, and it takes minutes: without one, `verify` skips it.

use crate::error::Error;
use crate::project::{Invocation, Project, expect_no_arguments};

/// The line of this command in the usage.
pub const SUMMARY: &str = "run the memory engine's tests under miri, of a nightly toolchain";

/// The tests of the engine, except those that explore interleavings with stacks of their own.
const TESTS: &str =
    "run nightly cargo miri test -p velocitydb-storage --lib memory:: -- --skip clock_model";

/// Seeds need the system's random numbers. The epoch library casts pointers to first fields to their
/// structs, which the stricter aliasing rules forbid, has tags in pointers, and leaves memory unfreed at the
/// end of the process, which is not a leak.
const FLAGS: &str = "-Zmiri-disable-isolation -Zmiri-tree-borrows -Zmiri-permissive-provenance \
                     -Zmiri-ignore-leaks";

/// Runs the tests.
pub fn run(project: &Project, arguments: &[String]) -> Result<(), Error> {
    expect_no_arguments(arguments)?;
    project.stream(&invocation())
}

/// Runs the tests if there is a toolchain for it, and prints a note if not.
pub fn verify(project: &Project) -> Result<(), Error> {
    let output = project.capture(&Invocation::new("rustup", "run nightly cargo miri --version"));
    if !output.is_ok_and(|output| output.status.success()) {
        println!("not interpreted: there is no nightly toolchain with miri");
        return Ok(());
    }
    project.stream(&invocation())
}

fn invocation() -> Invocation {
    Invocation::new("rustup", TESTS).with_variable("MIRIFLAGS", FLAGS)
}
