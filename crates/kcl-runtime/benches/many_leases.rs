//! How the coordinator's work grows with the number of leases. Coordination alone: nothing is read.
//!
//! `cargo bench -p kcl-runtime --bench many_leases`
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "it measures real time and says so")]
#![allow(clippy::unwrap_used, reason = "a benchmark")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use kcl_core::Verb;
use support::{Recorder, World, pass, until};

fn main() {
    println!("leases  gained in  CPU for 20 s of renewals  renewals");
    for shards in [500, 1000, 2000, 4000, 10_000] {
        // Paused time: it passes as fast as the work is done.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(measure(shards));
    }
}

async fn measure(shards: u32) {
    let mut world = World::new(shards);
    world.config.poll_interval = Duration::from_secs(3600);
    let begun = Instant::now();
    let worker = world.start(&Recorder::new("a")).await;
    until("all are held", || world.owners().get("a") == Some(&usize::try_from(shards).unwrap())).await;
    let gained = begun.elapsed();
    pass(Duration::from_secs(5)).await;
    let (begun, before) = (Instant::now(), world.store.writes_of(Verb::Renew).applied);
    pass(Duration::from_secs(20)).await;
    let (idle, renewals) = (begun.elapsed(), world.store.writes_of(Verb::Renew).applied - before);
    println!("{shards:>6}  {:>7} ms  {:>21} ms  {renewals:>8}", gained.as_millis(), idle.as_millis());
    worker.shutdown().await.unwrap();
}
