use kcl_core::ReadPosition;
use serde_json::json;

use super::*;
use crate::canned::{Answer, Canned};

const ARN: &str = "arn:aws:kinesis:eu-west-1:123456789012:stream/orders";

#[test]
fn a_bad_configuration_is_refused_before_the_first_request() {
    let aws = Canned::default().config();
    let elsewhere = ARN.replace("eu-west-1", "us-east-1");
    let cases = [
        ("two words", 100, "not a stream"),
        ("orders", 0, "1 to 10000"),
        ("orders", 10_001, "1 to 10000"),
        ("orders", u32::MAX, "1 to 10000"),
        (elsewhere.as_str(), 100, "another region"),
    ];
    for (stream, limit, expected) in cases {
        let error = KinesisStreamReader::from_config(&aws, stream, limit).unwrap_err();
        assert_eq!((error.kind(), error.subject()), (ErrorKind::Invalid, stream));
        assert!(error.to_string().contains(expected), "{error}");
    }
    let nowhere = SdkConfig::builder().build();
    let error = KinesisStreamReader::from_config(&nowhere, "orders", 1).unwrap_err();
    assert!(error.to_string().contains("no region"), "{error}");
    for limit in [1, 10_000] {
        assert_eq!(KinesisStreamReader::from_config(&aws, ARN, limit).unwrap().stream(), ARN);
    }
}

#[tokio::test]
async fn a_stream_given_by_arn_is_asked_for_by_arn() {
    let canned = Canned::new([
        Answer::ok(&json!({ "Shards": [], "NextToken": "token" })),
        Answer::ok(&json!({ "Shards": [] })),
        Answer::ok(&json!({ "ShardIterator": "i0" })),
        Answer::ok(&json!({ "Records": [], "NextShardIterator": "i1" })),
    ]);
    let reader = KinesisStreamReader::from_config(&canned.config(), ARN, 10).unwrap();
    reader.list_shards(ShardFilter::All).await.unwrap();
    let mut shard = reader.open(&ShardId::from("shard-0"), &ReadPosition::Latest).await.unwrap();
    shard.next().await.unwrap();
    let bodies: Vec<_> = canned.requests().into_iter().map(|(_, body)| body).collect();
    let expected = [
        json!({ "StreamARN": ARN }),
        json!({ "NextToken": "token" }),
        json!({ "StreamARN": ARN, "ShardId": "shard-0", "ShardIteratorType": "LATEST" }),
        json!({ "StreamARN": ARN, "ShardIterator": "i0", "Limit": 10 }),
    ];
    assert_eq!(bodies, expected);
}
