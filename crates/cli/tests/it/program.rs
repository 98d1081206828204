//! Runs the binary that was just built.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// What a run of the binary, or of a shell command with it, came to.
pub struct Outcome {
    pub stdout: String,
    pub stderr: String,
    pub code: Option<i32>,
}

/// Runs a line of shell in `folder`, where `velocitydb` is the binary.
pub fn shell(folder: &Path, line: &str) -> Outcome {
    let binary = Path::new(env!("CARGO_BIN_EXE_velocitydb"));
    let mut search = vec![binary.parent().expect("a binary is in a folder").to_path_buf()];
    search.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let output = Command::new("sh")
        .args(["-c", line])
        .current_dir(folder)
        .env("PATH", std::env::join_paths(search).expect("cargo has put no `:` into its folders"))
        .env_remove("VELOCITYDB_PATH")
        .stdin(Stdio::null())
        .output();
    outcome(output.expect("there is a shell"))
}

/// Runs a command; what it does not say of standard output and standard error is read.
pub fn outcome_of(command: &mut Command) -> Outcome {
    outcome(command.output().expect("the binary was built"))
}

fn outcome(output: Output) -> Outcome {
    let text = |bytes| String::from_utf8(bytes).expect("all output is UTF-8");
    Outcome { stdout: text(output.stdout), stderr: text(output.stderr), code: output.status.code() }
}
