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
const TESTS: &str =
    "run nightly cargo miri test -p velocitydb-storage --lib memory:: -- --skip clock_model";

/// Seeds come from the system. The library that frees what readers may still look at finds its own parts by
/// pointers to their first fields, which the stricter rules of aliasing do not know, keeps tags in pointers,
/// and what it has not freed at the end of the process is no leak.
const FLAGS: &str = "-Zmiri-disable-isolation -Zmiri-tree-borrows -Zmiri-permissive-provenance \
                     -Zmiri-ignore-leaks";

/// Runs the tests.
pub fn run(project: &Project, arguments: &[String]) -> Result<(), Error> {
    expect_no_arguments(arguments)?;
    project.stream(&invocation())
}

/// Runs the tests where there is a toolchain for it, and says so where there is none.
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
