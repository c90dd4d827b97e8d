//! The swarm: every seed is a fleet, a stream and a mix of faults of its own.
//!
//! Chaos, then heal, then time to settle, ten quiet minutes, a clean shutdown, and the audit.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::watch;

use super::nemesis::Nemesis;
use super::{Options, Report};
use crate::exec::{NodeId, Sim};
use crate::keyed::{Stream, between};
use crate::oracle::{Run, audit};
use crate::trace::{Event, Stage, Trace, hash};
use crate::world::{Host, Mutant, StoreServer, StreamServer};

/// How long nothing may move.
const QUIET: Duration = Duration::from_secs(600);
/// How long a shutdown may take: that of processors, and that of releases.
const SHUTDOWN: Duration = Duration::from_secs(60);

/// Runs one seed.
pub fn run(seed: u64, mutant: Mutant) -> Report {
    let options = Options::draw(seed);
    let sim = Sim::new(seed);
    let trace = Trace::new(sim.clone());
    let store = StoreServer::new(sim.clone(), trace.clone(), options.store, mutant);
    let stream = StreamServer::new(sim.clone(), trace.clone(), options.stream, mutant, options.shards);
    stream.set_records_per_read(options.batch * 2);
    let host = Host {
        sim: sim.clone(),
        trace: trace.clone(),
        store,
        stream,
        config: options.config(),
        behaviour: options.behaviour,
        tenures: Arc::default(),
        stop: watch::Sender::new(false),
    };
    let nemesis = Nemesis { host, options: options.clone(), nodes: BTreeMap::new(), started: 0 };
    let limit = options.chaos + options.settle + QUIET + SHUTDOWN * 2;
    let stuck = sim.run(limit, script(nemesis)).err();
    let entries = trace.take();
    // A run that got stuck is judged as far as it came.
    let violations = audit(Run { entries: &entries, failover: options.failover });
    let hash = hash(&entries);
    Report { seed, options, stuck, violations, hash, simulated: sim.now(), polls: sim.polls(), entries }
}

async fn script(mut nemesis: Nemesis) {
    let (sim, trace) = (nemesis.host.sim.clone(), nemesis.host.trace.clone());
    let (chaos, settle) = (nemesis.options.chaos, nemesis.options.settle);
    trace.add(Event::Enter(Stage::Chaos));
    produce(&sim, nemesis.host.stream.clone(), chaos + settle / 2);
    for _ in 0..nemesis.options.workers {
        nemesis.start_one();
    }
    nemesis.run(chaos).await;
    trace.add(Event::Enter(Stage::Heal));
    nemesis.host.store.heal();
    nemesis.host.stream.heal();
    sim.sleep_until(chaos + settle).await;
    trace.add(Event::Enter(Stage::Quiet));
    sim.sleep(QUIET).await;
    trace.add(Event::Enter(Stage::Shutdown));
    nemesis.host.stop.send_replace(true);
    sim.sleep(SHUTDOWN).await;
    trace.add(Event::Enter(Stage::Audit));
}

/// Puts records on every open shard until this moment.
fn produce(sim: &Sim, stream: StreamServer, until: Duration) {
    let clock = sim.clone();
    let producer = async move {
        let mut nth = 0;
        while clock.now() < until {
            for shard in stream.open_shards() {
                nth += 1;
                if between(clock.seed(), Stream::Workload, (9, nth, 0), 0, 3) > 0 {
                    stream.put(&shard, &nth.to_be_bytes());
                }
            }
            clock.sleep(Duration::from_millis(between(clock.seed(), Stream::Workload, (9, nth, 1), 200, 5_000))).await;
        }
    };
    drop(sim.spawn(NodeId::WORLD, "producer", producer.boxed()));
}
