//! Golden scripts: commands in, text out, in every mode the same. A new case is a new file in
//! `tests/golden`; `UPDATE_GOLDEN=1 cargo test -p velocitydb golden` writes down what comes out.

mod compare;
mod queries;
mod run;
mod script;
