//! In-memory backends, fault wrappers and conformance suites for the kcl Kinesis consumer library.
