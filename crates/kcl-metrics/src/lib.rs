//! Metrics sinks of the kcl Kinesis consumer library.
