//! Runs a plan: chaos, then heal, then time to settle, ten quiet minutes, a clean shutdown, and the audit.

use std::time::Duration;

use super::nemesis::Nemesis;
use super::{Plan, Report};
use crate::exec::Sim;
use crate::oracle::{Run, audit};
use crate::trace::{Event, Stage, Trace, hash};
use crate::world::{Host, Mutant, StoreServer, StreamServer, produce};

/// How long nothing may move.
const QUIET: Duration = Duration::from_secs(600);
/// How long a shutdown may take: that of processors, and that of releases.
const SHUTDOWN: Duration = Duration::from_secs(60);

/// Runs what this seed stands for, with a defect.
pub fn run_seed(seed: u64, mutant: Mutant) -> Report {
    run(&Plan { mutant, ..Plan::draw(seed) })
}

/// Runs a plan.
pub fn run(plan: &Plan) -> Report {
    let Plan { seed, options, store, stream, mutant, .. } = plan.clone();
    let sim = Sim::new(seed);
    sim.set_policy(options.policy);
    let trace = Trace::new(sim.clone());
    let store = StoreServer::new(sim.clone(), trace.clone(), store, mutant);
    let stream = StreamServer::new(sim.clone(), trace.clone(), stream, mutant, options.shards);
    stream.set_records_per_read(options.batch * 2);
    let host = Host::new(sim.clone(), trace.clone(), store, stream, options.behaviour);
    let nemesis = Nemesis::new(host, options.clone());
    let limit = options.chaos + options.settle + QUIET + SHUTDOWN * 2;
    let stuck = sim.run(limit, script(nemesis, plan.clone())).err();
    let entries = trace.take();
    // A run that got stuck is judged as far as it came.
    let violations = audit(Run { entries: &entries, options: &options, seed }, stuck.as_ref());
    let hash = hash(&entries);
    Report { plan: plan.clone(), violations, hash, simulated: sim.now(), polls: sim.polls(), entries }
}

async fn script(mut nemesis: Nemesis, plan: Plan) {
    let (sim, trace) = (nemesis.host.sim.clone(), nemesis.host.trace.clone());
    let (chaos, settle) = (plan.options.chaos, plan.options.settle);
    trace.add(Event::Enter(Stage::Chaos));
    produce(&sim, nemesis.host.stream.clone(), plan.options.aggregates, chaos + settle / 2);
    for _ in 0..plan.options.workers {
        nemesis.start_one();
    }
    nemesis.run(&plan.actions, chaos).await;
    nemesis.heal();
    sim.sleep_until(chaos + settle).await;
    trace.add(Event::Enter(Stage::Quiet));
    sim.sleep(QUIET).await;
    trace.add(Event::Enter(Stage::Shutdown));
    nemesis.stop_all();
    sim.sleep(SHUTDOWN).await;
    trace.add(Event::Enter(Stage::Audit));
}
