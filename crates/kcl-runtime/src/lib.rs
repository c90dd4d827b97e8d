//! The worker of the kcl Kinesis consumer library: coordination, shard consumers, shutdown.
