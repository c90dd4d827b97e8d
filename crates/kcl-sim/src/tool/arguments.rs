pub(crate) const USAGE: &str = "\
usage: [--seeds N] [--from S] [--base TEXT] [--minutes M]   runs seeds, by index; other base, other seeds; M ends it early
       --seed 0x… [--log]                                   replays one
       --shrink 0x… [--invariant S5]                        makes a failing one small, and writes it as a script
       --cancel [--all]                                     drops a worker's tasks at their polls, one per run
       --mutants [--only N]                                 the known-bug list
       --trip clock|sleep|randomness                        does what the tripwire must not let pass";

use super::trip::Forbidden;

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// One seed, and whether its whole log is wanted.
    One { seed: u64, log: bool },
    /// A failing seed to be made small, and the invariant that it breaks, if not the first.
    Shrink { seed: u64, invariant: Option<String> },
    /// The cancellation sweep, over every poll or most of them.
    Cancel { all: bool },
    /// The known-bug list, or one of it.
    Mutants(Option<u64>),
    /// The control of the tripwire.
    Trip(Forbidden),
    /// Seeds by index, for at most so many minutes.
    Sweep { base: u64, from: u64, seeds: u64, minutes: Option<u64> },
}

pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Command, String> {
    let (mut shrink, mut invariant) = (None, None);
    let (mut cancel, mut all) = (false, false);
    let (mut seed, mut log, mut trip, mut mutants, mut only) = (None, false, None, false, None);
    let (mut base, mut from, mut seeds, mut minutes) = (0, 0, 100, None);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("a value is missing: option={word}"));
        match word.as_str() {
            "--log" => log = true,
            "--seed" => seed = Some(number(&value()?)?),
            "--shrink" => shrink = Some(number(&value()?)?),
            "--invariant" => invariant = Some(value()?),
            "--cancel" => cancel = true,
            "--all" => all = true,
            "--seeds" => seeds = number(&value()?)?,
            "--from" => from = number(&value()?)?,
            "--mutants" => mutants = true,
            "--only" => only = Some(number(&value()?)?),
            "--trip" => trip = Some(value()?.parse()?),
            "--minutes" => minutes = Some(number(&value()?)?),
            "--base" => base = hash(&value()?),
            _ => return Err(format!("unknown option: option={word}")),
        }
    }
    if cancel {
        return Ok(Command::Cancel { all });
    }
    if let Some(seed) = shrink {
        return Ok(Command::Shrink { seed, invariant });
    }
    Ok(match (trip, seed) {
        (None, None) if mutants => Command::Mutants(only),
        (Some(forbidden), _) => Command::Trip(forbidden),
        (None, Some(seed)) => Command::One { seed, log },
        (None, None) => Command::Sweep { base, from, seeds, minutes },
    })
}

fn number(text: &str) -> Result<u64, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| format!("not a number: value={text}"))
}

/// FNV-1a: any text names a base.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
