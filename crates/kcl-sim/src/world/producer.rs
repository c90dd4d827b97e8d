use std::time::Duration;

use futures_util::FutureExt;

use super::StreamServer;
use crate::exec::{NodeId, Sim};
use crate::keyed::{Stream, between};

/// So many partition keys.
const KEYS: u64 = 24;

/// Puts records with random keys until this moment, `aggregates` of ten of them aggregated.
pub fn produce(sim: &Sim, stream: StreamServer, aggregates: u64, until: Duration) {
    let clock = sim.clone();
    let producer = async move {
        let mut nth = 0;
        while clock.now() < until {
            nth += 1;
            let draw = |what, low, high| between(clock.seed(), Stream::Workload, (9, nth, what), low, high);
            for record in 0..draw(0, 0, 2 * stream.open_shards().len() as u64) {
                let key = draw(100 + record * 3, 0, KEYS - 1);
                let is_aggregate = draw(101 + record * 3, 0, 9) < aggregates;
                let count = if is_aggregate { draw(102 + record * 3, 2, 5) } else { 1 };
                stream.put(&format!("key-{key}"), count, &nth.to_be_bytes());
            }
            clock.sleep(Duration::from_millis(draw(1, 200, 5_000))).await;
        }
    };
    drop(sim.spawn(NodeId::WORLD, "producer", producer.boxed()));
}
