use kcl_sim::keyed::mix;
use kcl_sim::spec::Size;

use super::trip::Forbidden;

pub(crate) const USAGE: &str = "\
usage: [--seeds N] [--from S] [--base TEXT] [--minutes M]   runs seeds, by index; other base, other seeds; M ends it early
       --mixed                                              only those with workers of the Java library, of a sweep
       --seed 0x… [--log]                                   replays one
       --shrink 0x… [--invariant S5]                        makes a failing one small, and writes it as a script
       --cancel [--all]                                     drops a worker's tasks at their polls, one per run
       --mutants [--only N] [--rates RUNS | --log]          the known-bug list; or how often each is found; or a run of each
       --spec small|ci|nightly                              searches the specifications
       --trip clock|sleep|randomness                        does what the tripwire must not let pass";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// One seed, and whether its whole log is wanted.
    One { seed: u64, log: bool },
    /// A failing seed to be made small, and the invariant that it breaks, if not the first.
    Shrink { seed: u64, invariant: Option<String> },
    /// The cancellation sweep, over every poll or most of them.
    Cancel { all: bool },
    /// The known-bug list, or one of it; or how often each is found in so many runs; or the log of a run.
    Mutants { only: Option<u64>, rates: Option<u64>, log: bool },
    /// The specifications.
    Spec(Size),
    /// The control of the tripwire.
    Trip(Forbidden),
    /// Seeds by index, for at most so many minutes.
    Sweep { base: u64, from: u64, seeds: Option<u64>, minutes: Option<u64>, mixed: bool },
}

/// Which command it is.
#[derive(Clone, Copy, Default)]
enum Verb {
    #[default]
    Sweep,
    One,
    Shrink,
    Cancel,
    Mutants,
    Spec(Size),
    Trip(Forbidden),
}

/// What the options say, whatever the command makes of them.
#[derive(Default)]
struct Said {
    verb: Verb,
    seed: u64,
    log: bool,
    all: bool,
    only: Option<u64>,
    rates: Option<u64>,
    invariant: Option<String>,
    base: u64,
    from: u64,
    seeds: Option<u64>,
    minutes: Option<u64>,
    mixed: bool,
}

pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Command, String> {
    let mut said = Said::default();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("a value is missing: option={word}"));
        match word.as_str() {
            "--seed" => (said.verb, said.seed) = (Verb::One, number(&value()?)?),
            "--shrink" => (said.verb, said.seed) = (Verb::Shrink, number(&value()?)?),
            "--cancel" => said.verb = Verb::Cancel,
            "--mutants" => said.verb = Verb::Mutants,
            "--spec" => said.verb = Verb::Spec(size(&value()?)?),
            "--trip" => said.verb = Verb::Trip(value()?.parse()?),
            "--log" => said.log = true,
            "--mixed" => said.mixed = true,
            "--all" => said.all = true,
            "--only" => said.only = Some(number(&value()?)?),
            "--rates" => said.rates = Some(number(&value()?)?),
            "--invariant" => said.invariant = Some(value()?),
            "--base" => said.base = hash(&value()?),
            "--from" => said.from = number(&value()?)?,
            "--seeds" => said.seeds = Some(number(&value()?)?),
            "--minutes" => said.minutes = Some(number(&value()?)?),
            _ => return Err(format!("unknown option: option={word}")),
        }
    }
    let Said { seed, log, all, only, rates, invariant, base, from, seeds, minutes, mixed, .. } = said;
    Ok(match said.verb {
        // Without any bound, a hundred.
        Verb::Sweep => Command::Sweep { base, from, seeds: seeds.or_else(|| minutes.is_none().then_some(100)), minutes, mixed },
        Verb::One => Command::One { seed, log },
        Verb::Shrink => Command::Shrink { seed, invariant },
        Verb::Cancel => Command::Cancel { all },
        Verb::Mutants => Command::Mutants { only, rates, log },
        Verb::Spec(size) => Command::Spec(size),
        Verb::Trip(forbidden) => Command::Trip(forbidden),
    })
}

fn size(name: &str) -> Result<Size, String> {
    match name {
        "small" => Ok(Size::Small),
        "ci" => Ok(Size::Ci),
        "nightly" => Ok(Size::Nightly),
        _ => Err(format!("no size: name={name}")),
    }
}

fn number(text: &str) -> Result<u64, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| format!("not a number: value={text}"))
}

/// Any text names a base.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0, |hash, byte| mix(hash ^ u64::from(byte)))
}
