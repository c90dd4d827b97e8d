use kcl_sim::scenario::swarm;
use kcl_sim::world::Mutant;

/// Replays one seed; whether it was clean.
pub(crate) fn run(seed: u64, log: bool) -> bool {
    let report = swarm::run_seed(seed, Mutant::Sound);
    if log {
        report.entries.iter().for_each(|entry| println!("{entry}"));
    }
    println!("{report}");
    report.is_clean()
}
