//! VelocityDB, embedded.
