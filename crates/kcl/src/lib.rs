//! A Kinesis Client Library for Rust, compatible with the lease tables of the Java library.
