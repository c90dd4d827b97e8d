//! How long one pass of each planner takes, and how that grows with the number of leases.
//!
//! `cargo bench -p kcl-core --bench planners`
#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]
#![allow(clippy::unwrap_used, reason = "a benchmark")]

use std::collections::BTreeSet;
use std::hint::black_box;
use std::time::Duration;

use kcl_core::{
    Checkpoint, HashKeyRange, Lease, LeaseCounter, LeaseKey, Lineage, Mono, Observer, Settled, Shard, ShardId, Standing,
    StartStrategy, TakeInput, Wall, WorkerId, elect_leader, in_own_order, plan_cleanup, plan_shard_sync, plan_takes,
    rows_to_check,
};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

const WORKERS: usize = 100;
const FAILOVER: Duration = Duration::from_secs(10);
const SIZES: [usize; 3] = [1_000, 10_000, 100_000];

/// What this thread has computed so far: unlike the time of day, other processes do not add to it.
fn cpu_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.try_into().unwrap(), now.tv_nsec.try_into().unwrap())
}

/// The median of several runs, without what `prepare` takes.
fn time<P, T>(mut prepare: impl FnMut() -> P, mut pass: impl FnMut(P) -> T) -> f64 {
    let mut times: Vec<f64> = (0..7)
        .map(|_| {
            let input = prepare();
            let begun = cpu_time();
            let output = pass(black_box(input));
            let took = (cpu_time() - begun).as_secs_f64() * 1000.0;
            drop(black_box(output));
            took
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn worker(index: usize) -> WorkerId {
    WorkerId::new(format!("ip-10-0-0-1.example:{index:032x}"))
}

fn shard_id(index: usize) -> ShardId {
    ShardId::from(format!("shardId-{index:012}"))
}

fn lease(index: usize, owner: Option<&WorkerId>, counter: u64) -> Lease {
    let mut lease = Lease::new(
        LeaseKey::of_shard(&shard_id(index)),
        Checkpoint::from_text("49590338271490256608559692538361571095921575989136588898", 0).unwrap(),
    );
    lease.owner = owner.cloned();
    lease.counter = LeaseCounter::new(counter);
    lease.hash_range = Some(HashKeyRange::FULL);
    lease
}

/// A table in which the leases go round among so many workers.
fn balanced(leases: usize, workers: usize, counter: u64) -> Vec<Lease> {
    let workers: Vec<WorkerId> = (0..workers).map(worker).collect();
    (0..leases).map(|index| lease(index, Some(&workers[index % workers.len()]), counter)).collect()
}

fn range(index: usize, of: usize) -> HashKeyRange {
    let width = u128::MAX / of as u128;
    let start = width * index as u128;
    HashKeyRange { start, end: if index == of - 1 { u128::MAX } else { start + width - 1 } }
}

fn shard(index: usize, parents: Vec<ShardId>, hash_range: HashKeyRange, is_open: bool) -> Shard {
    Shard {
        id: shard_id(index),
        parents,
        hash_range,
        starting_sequence_number: Some((1_000_000 + index as u64).into()),
        ending_sequence_number: (!is_open).then(|| (9_000_000 + index as u64).into()),
    }
}

fn open_shards(count: usize) -> Vec<Shard> {
    (0..count).map(|index| shard(index, vec![], range(index, count), true)).collect()
}

/// `count` shards in all, of which a third was split into the others.
fn resharded(count: usize) -> Vec<Shard> {
    let parents = count / 3;
    let closed = (0..parents).map(|index| shard(index, vec![], range(index, parents), false));
    let children =
        (0..parents * 2).map(|index| shard(parents + index, vec![shard_id(index / 2)], range(index, parents * 2), true));
    closed.chain(children).collect()
}

fn observe(name: &str) {
    let fresh = |n| {
        time(
            || balanced(n, WORKERS, 1),
            |leases| {
                let mut observer = Observer::new(FAILOVER, FAILOVER);
                observer.see_scan(Mono::from_millis(1), leases);
                observer
            },
        )
    };
    row(name, "first scan", fresh);
    let known = |n, counter| {
        let mut observer = Observer::new(FAILOVER, FAILOVER);
        observer.see_scan(Mono::from_millis(1), balanced(n, WORKERS, 1));
        (observer, balanced(n, WORKERS, counter))
    };
    let see = |(mut observer, leases): (Observer, Vec<Lease>)| {
        observer.see_scan(Mono::from_millis(5000), leases);
        observer
    };
    row(name, "every row renewed", |n| time(|| known(n, 2), see));
    row(name, "no row renewed", |n| time(|| known(n, 1), see));
    let due = |(mut observer, _): (Observer, Vec<Lease>)| {
        let due = observer.due(Mono::from_millis(20_000), |_| false, FAILOVER);
        (due, observer)
    };
    row(name, "every timer due", |n| time(|| known(n, 1), due));
}

/// What a planner of takes sees: the standing of a lease by its index and owner.
fn takes(name: &str, state: &str, of: impl Fn(usize) -> (Option<usize>, Standing)) {
    let measure = |n: usize| {
        let me = worker(WORKERS - 1);
        let owners: Vec<WorkerId> = (0..WORKERS).map(worker).collect();
        let rows: Vec<(Lease, Standing)> = (0..n)
            .map(|index| {
                let (owner, standing) = of(index);
                (lease(index, owner.map(|owner| &owners[owner]), 1), standing)
            })
            .collect();
        let held: BTreeSet<LeaseKey> =
            rows.iter().filter(|(lease, _)| lease.is_owned_by(&me)).map(|(lease, _)| lease.key.clone()).collect();
        let leases: Vec<_> = rows.iter().map(|(lease, standing)| (lease, *standing, FAILOVER)).collect();
        let avoid = BTreeSet::new();
        let input = TakeInput {
            me: &me,
            held: &held,
            leases: &leases,
            avoid: &avoid,
            max_leases: usize::MAX,
            leases_to_acquire: 1,
            hand_off: true,
            failover: FAILOVER,
            settled: Settled::AllLeases,
        };
        time(|| ChaCha8Rng::seed_from_u64(7), |mut rng| plan_takes(&input, &mut rng))
    };
    row(name, state, measure);
}

fn shard_sync(name: &str) {
    let plan = |shards: &[Shard], leases: &[Lease]| {
        let leases: Vec<&Lease> = leases.iter().collect();
        let writes = plan_shard_sync(shards, &leases, StartStrategy::Oldest, Wall::from_unix_millis(0));
        let rows = rows_to_check(shards, &writes);
        (in_own_order(writes, &mut ChaCha8Rng::seed_from_u64(7)), rows)
    };
    let of = |shards: fn(usize) -> Vec<Shard>, leases: fn(usize) -> Vec<Lease>| {
        move |n: usize| {
            let (shards, leases) = (shards(n), leases(n));
            time(|| (), |()| plan(&shards, &leases))
        }
    };
    row(name, "empty table", of(open_shards, |_| vec![]));
    row(name, "all covered", of(open_shards, |n| balanced(n, WORKERS, 1)));
    row(name, "resharded, empty table", of(resharded, |_| vec![]));
    row(name, "resharded, parents covered", of(resharded, |n| balanced(n / 3, WORKERS, 1)));
}

/// Rows of a reshard that is over: a third of them ended, the others begun.
fn ended(count: usize) -> Vec<Lease> {
    let workers: Vec<WorkerId> = (0..WORKERS).map(worker).collect();
    let parents = count / 3;
    let row = |index: usize| {
        let mut lease = lease(index, Some(&workers[index % WORKERS]), 1);
        match index.checked_sub(parents) {
            None => lease.checkpoint = Checkpoint::ShardEnd,
            Some(child) => lease.parents = vec![shard_id(child / 2)],
        }
        lease
    };
    (0..parents * 3).map(row).collect()
}

fn lineage(name: &str) {
    let pass = |n: usize| {
        let (leases, shards) = (ended(n), resharded(n));
        let held: Vec<&Lease> = leases.iter().filter(|lease| lease.checkpoint.is_shard_end()).collect();
        time(|| (), |()| plan_cleanup(held.iter().copied(), &Lineage::new(&leases, Some(&shards)), |_| false).delete.len())
    };
    row(name, "a third is finished", pass);
    let gates = |n: usize| {
        let (leases, shards) = (ended(n), resharded(n));
        time(
            || (),
            |()| {
                let lineage = Lineage::new(&leases, Some(&shards));
                leases.iter().filter(|lease| lineage.gate(lease, |_| false) == kcl_core::Gate::Open).count()
            },
        )
    };
    row("gates", "every row", gates);
}

fn leader(name: &str) {
    let pass = |workers: usize| {
        move |n: usize| {
            let leases = balanced(n, workers.min(n), 1);
            time(|| (), |()| elect_leader(leases.iter().filter_map(|lease| lease.owner.as_ref())))
        }
    };
    row(name, "100 workers", pass(WORKERS));
    row(name, "a worker for each lease", pass(usize::MAX));
}

/// Measures at each size and prints milliseconds, and between sizes how the cost grew: the exponent of n, and that of
/// n log n for comparison.
fn row(pass: &str, state: &str, measure: impl Fn(usize) -> f64) {
    let times: Vec<f64> = SIZES.iter().map(|size| measure(*size)).collect();
    print!("{pass:<12} {state:<28}");
    times.iter().for_each(|time| print!(" {time:>10.3}"));
    #[allow(clippy::cast_precision_loss, reason = "small numbers")]
    for (pair, sizes) in times.windows(2).zip(SIZES.windows(2)) {
        let (small, large) = (sizes[0] as f64, sizes[1] as f64);
        let exponent = |ratio: f64| ratio.ln() / (large / small).ln();
        let n_log_n = exponent(large * large.ln() / (small * small.ln()));
        print!("   {:>5.2} ({n_log_n:.2})", exponent(pair[1] / pair[0]));
    }
    println!();
}

fn main() {
    print!("{:<12} {:<28}", "pass", "state");
    SIZES.iter().for_each(|size| print!(" {size:>7} ms"));
    println!("   growth (of n log n)");
    observe("observe");
    takes("takes", "empty table", |_| (None, Standing::Unowned));
    takes("takes", "balanced", |index| (Some(index % WORKERS), Standing::Live));
    takes("takes", "30 of 100 workers lost", |index| {
        let owner = index % WORKERS;
        (Some(owner), if owner < 30 { Standing::Expired } else { Standing::Live })
    });
    takes("takes", "30 lost, rows to be read", |index| {
        let owner = index % WORKERS;
        (Some(owner), if owner < 30 { Standing::Due } else { Standing::Live })
    });
    takes("takes", "children of a reshard", |index| {
        if index % 3 == 0 { (Some(index / 3 % WORKERS), Standing::Live) } else { (None, Standing::Unowned) }
    });
    takes("takes", "joining a balanced fleet", |index| (Some(index % (WORKERS - 1)), Standing::Live));
    shard_sync("shard sync");
    lineage("clean-up");
    leader("leader");
}
