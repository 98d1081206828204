//! `cargo xtask miri`: the unsafe code of the memory engine, run by an interpreter that finds what it must
//! not do.
//!
//! Miri comes with nightly toolchains alone, and what it runs takes minutes: where there is none, verifying
//! goes on without.

use crate::error::Error;
use crate::project::{Invocation, Project, expect_no_arguments};

/// What the usage says about this command.
pub const SUMMARY: &str = "run the memory engine's tests under miri, of a nightly toolchain";

/// The tests of the engine, but for those that make interleavings by themselves, with stacks of their own.
const TESTS: &str = "+nightly miri test -p velocitydb-storage --lib memory:: -- --skip clock_model";

/// Runs the tests.
pub fn run(project: &Project, arguments: &[String]) -> Result<(), Error> {
    expect_no_arguments(arguments)?;
    project.stream(&invocation())
}

/// Runs the tests where there is a toolchain for it, and says so where there is none.
pub fn verify(project: &Project) -> Result<(), Error> {
    let output = project.capture(&Invocation::cargo("+nightly miri --version"));
    if !output.is_ok_and(|output| output.status.success()) {
        println!("not interpreted: there is no nightly toolchain with miri");
        return Ok(());
    }
    project.stream(&invocation())
}

/// Tests print the seeds of what is random in them, which come from the system.
fn invocation() -> Invocation {
    Invocation::cargo(TESTS).with_variable("MIRIFLAGS", "-Zmiri-disable-isolation")
}
