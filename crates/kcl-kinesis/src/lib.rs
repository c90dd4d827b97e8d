//! The Kinesis stream reader of the kcl Kinesis consumer library.
