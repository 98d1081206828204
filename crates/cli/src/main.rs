//! The `velocitydb` binary.
fn main() {}
