use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, FailurePersistence, Runner};

/// How many schedules of each kind a test goes through.
const SCHEDULES: usize = 20_000;
/// The depth of a schedule of the second kind: the priorities of the threads change one time less.
const DEPTH: usize = 3;
/// The gate goes through the same schedules every time; `SHUTTLE_RANDOM_SEED` asks for others.
const SEED: u64 = 0x6b63_6c00;

/// Runs the test under schedules drawn at random, then under ones drawn by priorities (PCT).
pub(super) fn explore(test: impl Fn() + Send + Sync + 'static) {
    let test = Arc::new(test);
    let again = Arc::clone(&test);
    run(RandomScheduler::new_from_seed(SEED, SCHEDULES), FailurePersistence::Print, move || test());
    run(PctScheduler::new_from_seed(SEED, DEPTH, SCHEDULES), FailurePersistence::Print, move || again());
}

/// Fails if the same schedules find nothing wrong.
pub(super) fn is_found(mutant: impl Fn() + Send + Sync + 'static) {
    let tried = Arc::new(AtomicUsize::new(0));
    let (mutant, count) = (Arc::new(mutant), Arc::clone(&tried));
    let again = {
        let (mutant, count) = (Arc::clone(&mutant), Arc::clone(&count));
        move || {
            count.fetch_add(1, Ordering::Relaxed);
            mutant();
        }
    };
    let at_random = move || {
        count.fetch_add(1, Ordering::Relaxed);
        mutant();
    };
    let random = RandomScheduler::new_from_seed(SEED, SCHEDULES);
    let priorities = PctScheduler::new_from_seed(SEED, DEPTH, SCHEDULES);
    let found =
        fails(|| run(random, FailurePersistence::None, at_random)) || fails(|| run(priorities, FailurePersistence::None, again));
    let tried = tried.load(Ordering::Relaxed);
    assert!(found, "the mutant survived: schedules={tried}");
    println!("found: schedules={tried}");
}

fn fails(exploration: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(exploration)).is_err()
}

fn run(scheduler: impl Scheduler + 'static, failure: FailurePersistence, test: impl Fn() + Send + Sync + 'static) {
    let mut config = Config::new();
    config.failure_persistence = failure;
    // A schedule has some hundreds of steps: one that has many more goes round in circles.
    config.max_steps = shuttle::MaxSteps::FailAfter(20_000);
    config.stack_size = 256 * 1024;
    Runner::new(scheduler, config).run(test);
}
