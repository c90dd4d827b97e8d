use std::fmt;
use std::sync::Arc;

/// Defines a cheap-to-clone text newtype.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps the text as it is.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::ops::Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl From<Arc<str>> for $name {
            fn from(text: Arc<str>) -> Self {
                Self(text)
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                &*self.0 == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                &*self.0 == *other
            }
        }
    };
}

text_id! {
    /// The primary key of a lease row: the shard id, for an application that reads one stream.
    LeaseKey
}
text_id! {
    /// The id of a shard, as Kinesis names it.
    ShardId
}
text_id! {
    /// The name under which one live process owns leases. It must be unique among the processes of an application.
    WorkerId
}
text_id! {
    /// A record's partition key. Empty where the stream delivers records without one.
    PartitionKey
}

impl Default for PartitionKey {
    fn default() -> Self {
        Self::new("")
    }
}

impl LeaseKey {
    /// The key of a shard's lease in a table that serves one stream.
    pub fn of_shard(shard: &ShardId) -> Self {
        Self(Arc::clone(&shard.0))
    }

    /// The shard that this lease is for, in a table that serves one stream.
    pub fn shard_id(&self) -> ShardId {
        ShardId(Arc::clone(&self.0))
    }
}

/// The number that a take writes into the row, new for each take. Of two takes of one version by two processes of one name
/// it tells which was applied; owner and counter are the same for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenureToken(u64);

impl TenureToken {
    /// The token with this value. Drawn at random for every take: nobody keeps account of those that were used.
    pub const fn new(value: u64) -> Self {
        Self(value)
    }

    /// The value.
    pub const fn value(self) -> u64 {
        self.0
    }
}

impl fmt::Display for TenureToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One tenure of one lease in this process. Never stored; a lease that is lost and regained has a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HoldId(pub u64);

impl fmt::Display for HoldId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
