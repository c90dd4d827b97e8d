use std::time::Duration;

use futures_util::future::{Either, select};
use kcl_core::{ErrorKind, Lease, LeaseKey, LeaseStore, StoreError};
use kcl_runtime::Env;

use super::{JavaVersion, JavaWrite};
use crate::exec::NodeEnv;
use crate::world::{Api, StoreClient};

/// `dynamoDbRequestTimeout`.
const REQUEST_LIMIT: Duration = Duration::from_secs(60);

/// The lease table as a Java worker uses it.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) client: StoreClient,
    pub(super) env: NodeEnv,
    pub(super) version: JavaVersion,
}

/// How a write that the store decided was answered: the row after it, or none if the condition did not hold.
pub(super) type Written = Option<Lease>;

impl Table {
    async fn limited<T>(&self, call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let limit = self.env.sleep_until(self.env.now() + REQUEST_LIMIT);
        match select(Box::pin(call), limit).await {
            Either::Left((result, _)) => result,
            Either::Right(_) => Err(StoreError::new(ErrorKind::Indeterminate, "call", "leases")),
        }
    }

    /// Every row. One that is no lease fails the whole scan: up to 3.4 a row without a counter is a null pointer.
    pub(super) async fn scan(&self) -> Result<Vec<Lease>, StoreError> {
        let scan = self.limited(self.client.scan()).await?;
        if scan.unreadable.is_empty() { Ok(scan.leases) } else { Err(StoreError::new(ErrorKind::Corrupt, "scan", "leases")) }
    }

    /// One row.
    pub(super) async fn get(&self, key: &LeaseKey) -> Result<Option<Lease>, StoreError> {
        self.limited(self.client.get(key)).await
    }

    /// One write.
    pub(super) async fn write(&self, write: JavaWrite) -> Result<Written, StoreError> {
        let (version, node) = (self.version, self.client.node());
        let (sent, api) = (self.client.sent_now(), Api::Write(write.recorded().verb()));
        let decide = move |server: &crate::world::StoreServer, _, _| server.decide_java(node, sent, version, &write);
        self.limited(self.client.call(api, decide)).await
    }
}
