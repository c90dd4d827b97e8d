//! The suite of lease stores.

use kcl::backend::{DynamoLeaseStore, LeaseStore as _};
use kcl_testing::conformance::lease_store;

use super::Case;
use crate::servers::config;

/// The server, as it is printed.
pub(super) const SERVER: &str = "ministack 1.5.33";

/// Every case; the server is at `url`.
pub(super) fn cases(url: &str) -> Vec<Case<'_>> {
    let named = lease_store::cases().into_iter();
    named.map(|(name, case)| Case::new(SERVER, name, move |runtime| runtime.block_on(run(url, name, case)))).collect()
}

async fn run(url: &str, name: &str, case: lease_store::Case) {
    let store = DynamoLeaseStore::from_config(&config(url), name);
    if let Err(error) = store.prepare().await {
        panic!("the table cannot be prepared: {}", kcl::error_chain(&error));
    }
    case(&store).await;
}
