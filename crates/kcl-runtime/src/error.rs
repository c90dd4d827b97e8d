use std::sync::Arc;

use kcl_core::{ConfigError, FleetRefusal, IncompleteListing, ReadError, ShardId, StoreError, Stranger};

/// Why a consumer did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A setting is outside its bounds.
    #[error("the configuration is not valid")]
    Config(#[from] ConfigError),
    /// The lease store cannot be used.
    #[error("the lease store cannot be used")]
    Store(#[from] StoreError),
    /// The stream cannot be read.
    #[error("the stream cannot be read")]
    Stream(#[from] ReadError),
    /// The stream's shards cannot be listed completely.
    #[error("the stream's shards cannot be listed completely")]
    Listing(#[from] IncompleteListing),
    /// The lease table belongs to workers that must not be joined: KCL 3.x in its native mode, or nobody can tell.
    #[error("the fleet of this lease table cannot be joined")]
    Fleet(#[from] FleetRefusal),
    /// Nothing was given to keep leases in or to read from.
    #[error("no {missing} was given: call {call} on the builder")]
    MissingBackend {
        /// What is missing.
        missing: &'static str,
        /// How to give it.
        call: &'static str,
    },
    /// The AWS configuration has no HTTP client, and this build has no default one: the first call would panic.
    #[error("the AWS configuration has no HTTP client: set one on it, or enable the feature default-https-client")]
    NoHttpClient,
    /// The coordination thread cannot be started.
    #[error("the coordination thread cannot be started")]
    Thread(#[from] std::io::Error),
}

/// Why a consumer stopped, or why its shutdown was not clean.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConsumerError {
    /// A processor panicked and the configuration says to stop then. Its records come again with the next tenure.
    #[error("a processor panicked: shard={shard}")]
    ProcessorPanicked {
        /// The shard whose processor it was.
        shard: ShardId,
    },
    /// The lease store refuses in a way that trying again does not cure.
    #[error("the lease store can no longer be used")]
    Store(#[source] Arc<StoreError>),
    /// The stream is gone or refuses in a way that trying again does not cure.
    #[error("the stream can no longer be read")]
    Stream(#[source] Arc<ReadError>),
    /// The other workers of the lease table began to run KCL 3.x natively, or nobody can tell any more. Every lease was
    /// given up for them to assign.
    #[error("this worker can no longer be part of the fleet of its lease table")]
    Fleet(#[source] FleetRefusal),
    /// No lease of the table can be about the stream as it is: it was deleted and created again, or the table is that of
    /// another application. Nothing was read wrongly; nothing can be read at all.
    #[error(
        "the leases are about another stream of this name, which was deleted and created again: remove the leases, or choose \
         another application name, to read this one from the start position: {}",
        strangers.first().map(ToString::to_string).unwrap_or_default()
    )]
    AnotherStream {
        /// The shards whose leases do not fit, and how that is known.
        strangers: Vec<Stranger>,
    },
    /// The shutdown did not wait any longer for these shards' processors. Their last checkpoints stand, and what came
    /// after them is delivered again elsewhere.
    #[error("the shutdown timed out: unfinished_shards={}", shards.iter().map(ShardId::as_str).collect::<Vec<_>>().join(","))]
    ShutdownTimedOut {
        /// The shards whose processors were still busy.
        shards: Vec<ShardId>,
    },
    /// The coordination task died: a defect of this library. Every lease expires and goes to other workers.
    #[error("the coordination task died; this is a defect of the library, please report it")]
    CoordinationDied,
}
