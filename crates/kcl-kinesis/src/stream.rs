use std::fmt;

use kcl_core::{ErrorKind, ReadError, ShardId};

/// The longest name Kinesis allows (API reference, CreateStream).
const NAME_CHARS_MAX: usize = 128;

/// The stream as requests name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StreamRef {
    /// In the account of the credentials.
    Name(String),
    /// In any account that lets us read it.
    Arn { arn: String, region: String },
}

impl StreamRef {
    /// Reads a stream name, or a stream ARN: `arn:aws*:kinesis:<region>:<12 digits>:stream/<name>`, the form that the
    /// Java library accepts (`StreamIdentifier.java`).
    pub(crate) fn parse(text: &str) -> Result<Self, ReadError> {
        // A name cannot contain a colon, so this prefix decides.
        let parsed = if text.starts_with("arn:") { Self::parse_arn(text) } else { Self::parse_name(text) };
        parsed.ok_or_else(|| {
            ReadError::new(ErrorKind::Invalid, "configure", text).with_hint(
                "not a stream: give a name (1 to 128 letters, digits, '_', '.', '-') or a stream ARN with region and account",
            )
        })
    }

    fn parse_name(text: &str) -> Option<Self> {
        is_name(text).then(|| Self::Name(text.to_owned()))
    }

    fn parse_arn(text: &str) -> Option<Self> {
        let mut parts = text.splitn(6, ':').skip(1);
        let (partition, service) = (parts.next()?, parts.next()?);
        let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
        let name = resource.strip_prefix("stream/")?;
        let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
        let is_region = !region.is_empty() && region.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let fits = partition.starts_with("aws") && service == "kinesis" && is_region && is_account && is_name(name);
        fits.then(|| Self::Arn { arn: text.to_owned(), region: region.to_owned() })
    }

    /// The value of `StreamName`, for a stream given by name.
    pub(crate) fn name(&self) -> Option<String> {
        match self {
            Self::Name(name) => Some(name.clone()),
            Self::Arn { .. } => None,
        }
    }

    /// The value of `StreamARN`, for a stream given by ARN.
    pub(crate) fn arn(&self) -> Option<String> {
        match self {
            Self::Name(_) => None,
            Self::Arn { arn, .. } => Some(arn.clone()),
        }
    }

    /// The region that the ARN names.
    pub(crate) fn region(&self) -> Option<&str> {
        match self {
            Self::Name(_) => None,
            Self::Arn { region, .. } => Some(region),
        }
    }

    /// What the user called it.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Name(name) => name,
            Self::Arn { arn, .. } => arn,
        }
    }

    /// The subject of an error about one shard.
    pub(crate) fn shard_subject(&self, shard: &ShardId) -> String {
        format!("{self}/{shard}")
    }
}

impl fmt::Display for StreamRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn is_name(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    (1..=NAME_CHARS_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_arns_are_told_apart() {
        let name = StreamRef::parse("orders_v2.eu-1").unwrap();
        assert_eq!((name.name().as_deref(), name.arn(), name.region()), (Some("orders_v2.eu-1"), None, None));
        for partition in ["aws", "aws-cn", "aws-us-gov"] {
            let text = format!("arn:{partition}:kinesis:eu-west-1:123456789012:stream/orders");
            let arn = StreamRef::parse(&text).unwrap();
            assert_eq!((arn.name(), arn.arn().as_deref(), arn.region()), (None, Some(text.as_str()), Some("eu-west-1")));
            assert_eq!(arn.to_string(), text);
        }
    }

    #[test]
    fn what_is_neither_is_refused() {
        let long = "x".repeat(NAME_CHARS_MAX + 1);
        let refused = [
            "",
            "two words",
            "orders/",
            &long,
            "arn:aws:kinesis::123456789012:stream/orders",
            "arn:aws:kinesis:eu-west-1::stream/orders",
            "arn:aws:kinesis:eu-west-1:12345678901:stream/orders",
            "arn:aws:kinesis:eu-west-1:123456789012:stream/",
            "arn:aws:kinesis:eu-west-1:123456789012:stream/orders/consumer/app:1",
            "arn:aws:dynamodb:eu-west-1:123456789012:stream/orders",
            "arn:gcp:kinesis:eu-west-1:123456789012:stream/orders",
            "arn:aws:kinesis:eu-west-1",
        ];
        for text in refused {
            let error = StreamRef::parse(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{text}");
        }
    }
}
