//! The document model of VelocityDB.
