//! The tests of schemas, from what the module offers. The suite of the standard is in the
//! integration tests.

mod building;
mod documents;
mod helpers;
mod hostile;
mod patterns;
