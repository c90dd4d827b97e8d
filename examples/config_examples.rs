//! Configurations for common needs, with their reasons, and how they are checked. Connects to nothing.
//!
//! ```text
//! cargo run --example config_examples
//! KINESIS_MAX_LEASES=20 KINESIS_START_STRATEGY=TIMESTAMP:1700000000000 cargo run --example config_examples
//! KINESIS_BATCH_LIMIT=many cargo run --example config_examples    # says what is accepted, and ends with code 1
//! ```
//!
//! It needs neither AWS nor `cargo xtask local`: a configuration is checked before anything is called. To try one out, copy
//! its function into one of the other examples, between `Consumer::builder` and `start`; with `cargo xtask local` running,
//! it then works on that, and on AWS without it.
//!
//! The numbers are starting points. What each setting means, and its bounds, is in the documentation of `WorkerConfig`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that talks to its user")]

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use kcl::{
    ConfigError, Consumer, ConsumerBuilder, EnvironmentConfig, LeaseConfig, ManagementConfig, OnPanic, StartStrategy,
    WorkerConfig, error_chain,
};
use kcl_examples::logging;

const STREAM: &str = "my-stream";

/// Prints and checks the configurations.
#[derive(Debug, Parser)]
struct Args {
    /// Where the replay begins, in Unix milliseconds.
    #[arg(long, value_name = "MILLIS", default_value_t = 1_700_000_000_000)]
    replay_from: i64,
    /// Log one JSON object a line.
    #[arg(long)]
    log_json: bool,
}

/// Many records, little delay. The largest reads and the shortest pauses between them, and a new worker soon gets its
/// share of the shards. Costs the most calls.
fn high_throughput() -> ConsumerBuilder {
    Consumer::builder("my-app", STREAM)
        .management(ManagementConfig { leases_to_acquire: 10, max_leases: 200, start_strategy: StartStrategy::Latest })
        .lease(LeaseConfig::PollingConfig { limit: 10_000 })
        .poll_interval(Duration::from_millis(200))
        .max_records_per_call(10_000)
}

/// Work that is best done on many records at once, such as writing files. A read now and then returns what gathered
/// meanwhile, and a shutdown leaves time to finish a large batch.
fn batch() -> ConsumerBuilder {
    Consumer::builder("my-batch-app", STREAM)
        .management(ManagementConfig { start_strategy: StartStrategy::Oldest, ..ManagementConfig::default() })
        .lease(LeaseConfig::PollingConfig { limit: 10_000 })
        .poll_interval(Duration::from_secs(5))
        .max_records_per_call(10_000)
        .shutdown_timeout(Duration::from_secs(120))
}

/// On a developer's machine. Restarts are frequent, so a lease that a killed process left behind is soon free; batches are
/// small enough to read; a panic stops the program instead of being retried.
fn development() -> ConsumerBuilder {
    Consumer::builder("my-app-dev", STREAM)
        .management(ManagementConfig { start_strategy: StartStrategy::Oldest, ..ManagementConfig::default() })
        .lease(LeaseConfig::PollingConfig { limit: 100 })
        .failover_time(Duration::from_secs(3))
        .poll_interval(Duration::from_millis(500))
        .max_records_per_call(100)
        .on_panic(OnPanic::StopConsumer)
        .shutdown_timeout(Duration::from_secs(5))
}

/// Few calls. Every lease is renewed several times in each failover time, so a longer one saves writes, and a longer pause
/// between reads saves reads. The price: records wait longer, and so does a dead worker's shard.
fn cost_optimised() -> ConsumerBuilder {
    Consumer::builder("my-app", STREAM)
        .failover_time(Duration::from_secs(60))
        .poll_interval(Duration::from_secs(10))
        .shard_sync_interval(Duration::from_secs(600))
        .lease_cleanup_interval(Duration::from_secs(1800))
}

/// Processing again what was processed, from a moment on. A lease table of its own: in that of the application every
/// shard has a checkpoint, and checkpoints win over the start strategy.
fn replay(from_millis: i64) -> ConsumerBuilder {
    Consumer::builder("my-app-replay", STREAM)
        .management(ManagementConfig {
            leases_to_acquire: 10,
            start_strategy: StartStrategy::Timestamp(from_millis),
            ..ManagementConfig::default()
        })
        .lease(LeaseConfig::PollingConfig { limit: 10_000 })
        .poll_interval(Duration::from_millis(200))
}

/// What the process's environment says, and the defaults for the rest.
fn from_environment(environment: EnvironmentConfig) -> ConsumerBuilder {
    Consumer::builder("my-app", STREAM).management(environment.management).lease(environment.lease)
}

/// A mistake, to show how one is reported: Kinesis returns at most 10,000 records in one read.
fn mistaken() -> ConsumerBuilder {
    Consumer::builder("my-app", STREAM).lease(LeaseConfig::PollingConfig { limit: 20_000 })
}

fn main() -> ExitCode {
    let args = Args::parse();
    logging::init(args.log_json);
    let ready_made = [
        ("high throughput", high_throughput()),
        ("batch", batch()),
        ("development", development()),
        ("cost-optimised", cost_optimised()),
        ("replay", replay(args.replay_from)),
    ];
    let mut valid = true;
    for (name, builder) in &ready_made {
        valid &= show(name, builder.config()).is_ok();
    }
    // A mistake on purpose changes nothing for the exit code.
    let _ = show("mistaken, to show the error", mistaken().config());
    match EnvironmentConfig::read() {
        Ok(environment) => valid &= show("from the environment", from_environment(environment).config()).is_ok(),
        Err(error) => {
            eprintln!("error: {}", error_chain(&error));
            eprintln!("  variable: {}\n  value:    {:?}\n  accepted: {}", error.variable, error.value, error.accepted);
            valid = false;
        }
    }
    if valid { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints a configuration and whether it is valid.
fn show(name: &str, config: &WorkerConfig) -> Result<(), ConfigError> {
    println!("{name}");
    for (setting, value) in settings(config) {
        println!("  {setting:<22} {value}");
    }
    let checked = config.validate();
    match &checked {
        Ok(()) => println!("  valid\n"),
        Err(error) => println!("  not valid: {}\n", error_chain(error)),
    }
    checked
}

fn settings(config: &WorkerConfig) -> Vec<(&'static str, String)> {
    let ManagementConfig { leases_to_acquire, max_leases, start_strategy } = config.management;
    let max_leases = if max_leases == usize::MAX { "unlimited".to_owned() } else { max_leases.to_string() };
    let mut settings = vec![
        ("application", config.application.clone()),
        ("stream", config.stream.clone()),
        ("leases_to_acquire", leases_to_acquire.to_string()),
        ("max_leases", max_leases),
        ("start_strategy", format!("{start_strategy:?}")),
    ];
    // More ways of reading may come.
    if let LeaseConfig::PollingConfig { limit } = config.lease {
        settings.push(("limit", limit.to_string()));
    }
    settings.extend([
        ("failover_time", format!("{:?}", config.failover_time)),
        ("scan_interval", format!("{:?}", config.scan_interval)),
        ("poll_interval", format!("{:?}", config.poll_interval)),
        ("shard_sync_interval", format!("{:?}", config.shard_sync_interval)),
        ("lease_cleanup_interval", format!("{:?}", config.lease_cleanup_interval)),
        ("max_records_per_call", config.max_records_per_call.to_string()),
        ("on_panic", format!("{:?}", config.on_panic)),
        ("shutdown_timeout", format!("{:?}", config.shutdown_timeout)),
        ("hand_off_timeout", format!("{:?}", config.hand_off_timeout)),
        ("start_timeout", format!("{:?}", config.start_timeout)),
    ]);
    settings
}
