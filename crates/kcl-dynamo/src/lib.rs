//! The DynamoDB lease store of the kcl Kinesis consumer library.
