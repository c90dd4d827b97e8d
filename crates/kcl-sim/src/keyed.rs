//! Randomness by name: each decision is a function of the seed and of what it decides, never of what was decided before.
//! Taking one fault away leaves all others as they are.

use std::time::Duration;

/// What a decision is about, so that two of them with the same key are independent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// What the scenario is made of.
    Config,
    /// Which ready task runs next.
    Schedule,
    /// How long a call takes.
    Latency,
    /// Which fault a call meets.
    Fault,
    /// What the nemesis does.
    Nemesis,
    /// What producers and processors do.
    Workload,
    /// Which workers are of the Java library, and what those do at random. Last, so that runs without them are as ever.
    Java,
}

/// A number that depends on all arguments and on nothing else.
pub fn decide(seed: u64, stream: Stream, key: (u64, u64, u64)) -> u64 {
    [stream as u64, key.0, key.1, key.2].into_iter().fold(mix(seed), |state, part| mix(state ^ mix(part)))
}

/// `decide`, as a number from `low` to `high`.
pub fn between(seed: u64, stream: Stream, key: (u64, u64, u64), low: u64, high: u64) -> u64 {
    low + decide(seed, stream, key) % (high.max(low) - low + 1)
}

/// `decide`, as a time from `low` to `high`, in microseconds.
pub fn time_between(seed: u64, stream: Stream, key: (u64, u64, u64), low: Duration, high: Duration) -> Duration {
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(between(seed, stream, key, micros(low), micros(high)))
}

/// The finaliser of splitmix64.
pub const fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}
