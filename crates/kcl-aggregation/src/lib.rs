//! The KPL aggregation format: one Kinesis record in, user records out, and back.
