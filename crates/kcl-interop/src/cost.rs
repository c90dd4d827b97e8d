//! What a fleet asks of its lease table, counted on the wire: fleets of ours and of Java workers, in the same set-up.
//!
//! Two workers share the shards of a stream, each with KCL's default settings (failover time 10 s). The phases: nothing happens,
//! for five minutes, because some reads are minutes apart; for a minute each, a record on each shard every five seconds, and
//! every second, each checkpointed by itself; a third worker joins, until the leases are balanced and a minute at least.

mod meter;
mod report;
mod units;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::kind::{Generation, Kind};
use crate::options::Options;
use crate::scene::{Scene, Stage};
use crate::servers::Servers;
use crate::tools::Tools;

pub(crate) use meter::{Counts, Meter};
use report::{Counted, Joining};

/// Shards of each stream: so few that Java workers, which take one lease from each other every 20 s, are soon balanced.
const SHARDS: u32 = 8;
/// Workers before another one joins.
const WORKERS: usize = 2;
/// KCL's default.
const FAILOVER_MILLIS: u64 = 10_000;
/// KCL's period between two scans, with that failover time.
const KCL_SCAN_MILLIS: &str = "20050";
/// How long a phase lasts at least.
const PHASE: Duration = Duration::from_secs(60);
/// The same for the phase in which nothing happens.
const IDLE: Duration = Duration::from_secs(300);
/// What is still to be said after a change has been said after this time.
const SETTLE: Duration = Duration::from_secs(25);
/// How long Java workers may take to be balanced.
const PATIENCE: Duration = Duration::from_secs(420);

/// What is measured: two or three workers of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fleet {
    name: &'static str,
    kind: Kind,
    options: &'static [&'static str],
}

/// The fleet of ours with KCL's interval of scans.
const AS_KCL: &str = "ours, scans as KCL";
/// The phase in which nothing happens.
const IDLE_PHASE: &str = "idle";

const SYNC: [&str; 2] = ["--sync-seconds", "120"];

const FLEETS: [Fleet; 4] = [
    Fleet { name: "Java 2.5.8", kind: Kind::Java(Generation::V2), options: &SYNC },
    Fleet { name: "Java 3.1.3, 2.x-compatible", kind: Kind::Java(Generation::V3), options: &SYNC },
    Fleet { name: AS_KCL, kind: Kind::Rust, options: &[SYNC[0], SYNC[1], "--scan-millis", KCL_SCAN_MILLIS] },
    Fleet { name: "ours, default", kind: Kind::Rust, options: &SYNC },
];

/// Measures, and prints a table. Yields whether ours asked for no more than Java's where it must not.
///
/// # Errors
/// If something is missing, or a fleet does not work.
pub(crate) fn run(folder: &Path, rust_worker: PathBuf, options: &Options) -> Result<bool, Failure> {
    let only = options.only.as_deref().unwrap_or_default();
    let fleets: Vec<Fleet> = FLEETS.into_iter().filter(|fleet| fleet.name.contains(only)).collect();
    let tools = Tools::prepare(folder, rust_worker);
    let folder = folder.to_path_buf();
    let mut servers = Servers::start(tools.kinesis.as_ref().map_err(Clone::clone)?, &folder)?;
    let meter = servers.meter()?;
    let stage = Arc::new(Stage { tools, servers, folder });
    let done = Mutex::new(Vec::new());
    // All at once: what they ask for follows from time, and not from how fast this machine is.
    std::thread::scope(|scope| {
        for fleet in &fleets {
            scope.spawn(|| {
                let counted = in_runtime(fleet, &stage, &meter);
                done.lock().unwrap_or_else(PoisonError::into_inner).push((fleet.name, counted));
            });
        }
    });
    let mut counted = Vec::new();
    for (name, result) in done.into_inner().unwrap_or_else(PoisonError::into_inner) {
        counted.extend(result.map_err(|failure| Failure::new(format!("{name}: {failure}")))?);
    }
    println!("\nnot counted, all fleets together: {:?}", meter.others());
    Ok(report::print(&counted, FLEETS.map(|fleet| fleet.name)))
}

fn in_runtime(fleet: &Fleet, stage: &Arc<Stage>, meter: &Meter) -> Result<Vec<Counted>, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::of("cannot start a runtime", &error))?;
    runtime.block_on(measure(fleet, Arc::clone(stage), meter))
}

async fn measure(fleet: &Fleet, stage: Arc<Stage>, meter: &Meter) -> Result<Vec<Counted>, Failure> {
    let mut scene = Scene::set(stage, &format!("cost {}", fleet.name), 8).await?.with_failover(FAILOVER_MILLIS);
    let counted = phases(fleet, &mut scene, meter).await;
    let failed = counted.as_ref().err().cloned();
    let outcome = scene.finish(failed.map_or(Ok(()), Err)).await;
    match outcome.failed {
        Some(failure) => Err(failure),
        None => counted,
    }
}

async fn phases(fleet: &Fleet, scene: &mut Scene, meter: &Meter) -> Result<Vec<Counted>, Failure> {
    scene.seed().await?;
    let mut names = Vec::new();
    for _ in 0..WORKERS {
        names.push(scene.start_with(fleet.kind, fleet.options)?);
    }
    scene.balanced_within(PATIENCE, &names).await?;
    tokio::time::sleep(SETTLE).await;
    let mut counted = Vec::new();
    for (phase, every) in [(IDLE_PHASE, None), ("a record every 5 s", Some(5)), ("a record every 1 s", Some(1))] {
        if let Some(every) = every {
            scene.produce_evenly(SHARDS, Duration::from_secs(every));
            tokio::time::sleep(SETTLE).await;
        }
        let before = Moment::now(scene, meter);
        tokio::time::sleep(if every.is_none() { IDLE } else { PHASE }).await;
        counted.push(before.until_now(fleet, phase, scene, meter));
        scene.produce_no_more().await;
    }
    let before = Moment::now(scene, meter);
    names.push(scene.start_with(fleet.kind, fleet.options)?);
    scene.balanced_within(PATIENCE, &names).await?;
    let balanced = before.at.elapsed();
    tokio::time::sleep(PHASE.saturating_sub(balanced)).await;
    let joining = before.until_now(fleet, "a third joins", scene, meter);
    let moved = SHARDS / 3;
    counted.push(Counted { workers: WORKERS + 1, joining: Some(Joining { balanced_after: balanced, moved }), ..joining });
    Ok(counted)
}

/// What had been asked for at a moment.
struct Moment {
    at: Instant,
    counts: Counts,
    checkpoints: usize,
}

impl Moment {
    fn now(scene: &Scene, meter: &Meter) -> Self {
        Self { at: Instant::now(), counts: meter.of(scene.table()), checkpoints: scene.checkpoints() }
    }

    fn until_now(&self, fleet: &Fleet, phase: &'static str, scene: &Scene, meter: &Meter) -> Counted {
        let now = Self::now(scene, meter);
        let counted = Counted {
            fleet: fleet.name,
            phase,
            workers: WORKERS,
            leases: SHARDS,
            lasted: now.at - self.at,
            counts: now.counts - self.counts,
            checkpoints: now.checkpoints - self.checkpoints,
            row_bytes: meter.row_bytes(scene.table()),
            joining: None,
        };
        println!("{counted:?}");
        counted
    }
}
