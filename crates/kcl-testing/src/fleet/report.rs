use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::faults::FaultKind;
use super::options::Options;
use super::rule::Rule;
use super::settings::Settings;
use super::trace::{Entry, Event};

/// How many events before a violation are shown.
const SHOWN: usize = 60;

/// Something that did not hold in the run of one seed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// Which rule.
    pub rule: Rule,
    /// In which run.
    pub seed: u64,
    /// What was seen, and what to do about it.
    pub what: String,
    /// Which event shows it, if one does.
    pub(super) entry: Option<usize>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, seed {:#x}: {}", self.rule, self.seed, self.what)
    }
}

/// How the runs of a fleet went.
#[derive(Clone, Debug)]
pub struct Report {
    settings: Settings,
    seeds: usize,
    failing: usize,
    records: usize,
    events: BTreeMap<FaultKind, usize>,
    fingerprint: DefaultHasher,
    violations: Vec<Violation>,
    /// What happened before the first violation.
    story: Option<String>,
}

impl Report {
    pub(super) fn new(settings: Settings) -> Self {
        let (events, fingerprint, violations) = (BTreeMap::new(), DefaultHasher::new(), Vec::new());
        Self { settings, seeds: 0, failing: 0, records: 0, events, fingerprint, violations, story: None }
    }

    /// One more run.
    pub(super) fn add(&mut self, options: &Options, records: usize, entries: &[Entry], violations: Vec<Violation>) {
        self.seeds += 1;
        self.failing += usize::from(!violations.is_empty());
        self.records += records;
        for entry in entries {
            entry.to_string().hash(&mut self.fingerprint);
            if let Event::Fault(kind, _) = &entry.event {
                *self.events.entry(*kind).or_default() += 1;
            }
        }
        if self.story.is_none() && !violations.is_empty() {
            self.story = Some(story(options, entries, &violations));
        }
        self.violations.extend(violations);
    }

    /// How many seeds had violations.
    pub(super) const fn failing(&self) -> usize {
        self.failing
    }

    /// How many seeds were run.
    pub const fn seeds(&self) -> usize {
        self.seeds
    }

    /// Everything that did not hold, by seed. For each seed the first finding of each rule.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Whether everything held.
    pub const fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }

    /// Whether this rule did not hold in some run.
    pub fn violates(&self, rule: Rule) -> bool {
        self.violations.iter().any(|violation| violation.rule == rule)
    }

    /// How often this kind of trouble was made, over all seeds. A planned fault of a call counts although no such call may
    /// have come.
    pub fn count(&self, kind: FaultKind) -> usize {
        self.events.get(&kind).copied().unwrap_or_default()
    }

    /// A number that stands for everything that happened. If it differs between two runs of the same fleet with the same
    /// build, the application depends on something that is not from the seed.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint.finish()
    }

    /// How many records were put, over all seeds.
    pub const fn records(&self) -> usize {
        self.records
    }

    /// Does nothing if everything held.
    ///
    /// # Panics
    /// Otherwise: with what did not, what happened before, and how to run that seed alone.
    #[track_caller]
    pub fn assert_clean(&self) {
        assert!(self.is_clean(), "{self}");
    }
}

/// The options of a run and the last events before its first violation.
fn story(options: &Options, entries: &[Entry], violations: &[Violation]) -> String {
    let earliest = violations.iter().filter_map(|violation| violation.entry).min();
    let end = earliest.map_or(entries.len(), |entry| (entry + 1).min(entries.len()));
    let mut story = String::new();
    for (index, entry) in entries.iter().enumerate().take(end).skip(end.saturating_sub(SHOWN)) {
        story += &format!("{index:>6} {entry}\n");
    }
    let config = &options.config;
    story += &format!(
        "this seed: faults={:?} failover_time={:?} poll_interval={:?} max_records_per_call={} aggregates={}",
        options.faults, config.failover_time, config.poll_interval, config.max_records_per_call, options.aggregates
    );
    story
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?}", self.settings)?;
        let Self { seeds, failing, records, events, .. } = self;
        writeln!(
            f,
            "seeds={seeds} failing={failing} records={records} fingerprint={:#x} trouble={events:?}",
            self.fingerprint()
        )?;
        let Some(first) = self.violations.first() else {
            return write!(f, "everything held");
        };
        if let Some(story) = &self.story {
            writeln!(f, "the last events of seed {:#x} before its first violation:\n{story}", first.seed)?;
        }
        for violation in &self.violations {
            writeln!(f, "{violation}")?;
        }
        write!(f, "to run the first alone, on the same fleet: .seeds([{:#x}])", first.seed)
    }
}
