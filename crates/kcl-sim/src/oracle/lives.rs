//! What each process' own monotonic clock shows.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Run;
use crate::exec::{ClockSpec, NodeId};
use crate::trace::{Entry, Event};

/// The clocks of all processes, as far as the record of the run was read.
pub(super) struct Lives<'a> {
    run: Run<'a>,
    clocks: BTreeMap<NodeId, Clock>,
}

struct Clock {
    spec: ClockSpec,
    /// Since when its machine is suspended, if its clock minds.
    still_since: Option<Duration>,
    /// From when on it had stood still for so long.
    stood_still: Vec<(Duration, Duration)>,
}

impl<'a> Lives<'a> {
    pub(super) const fn new(run: Run<'a>) -> Self {
        Self { run, clocks: BTreeMap::new() }
    }

    pub(super) fn see(&mut self, entry: &Entry) {
        match &entry.event {
            Event::Started(node, _) => {
                let spec = ClockSpec { offset: Duration::ZERO, ..self.run.options.clock(self.run.seed, node.number()) };
                self.clocks.insert(*node, Clock { spec, still_since: None, stood_still: Vec::new() });
            }
            Event::Suspended(node) => {
                if let Some(clock) = self.clocks.get_mut(node).filter(|clock| clock.spec.stops_in_suspend) {
                    clock.still_since.get_or_insert(entry.at);
                }
            }
            Event::Resumed(node) => {
                let Some(clock) = self.clocks.get_mut(node) else { return };
                if let Some(since) = clock.still_since.take() {
                    let before = clock.stood_still.last().map_or(Duration::ZERO, |(_, time)| *time);
                    clock.stood_still.push((entry.at, before + (entry.at - since)));
                }
            }
            _ => {}
        }
    }

    /// What the process' clock showed at a moment that is past, at which it ran, without its offset.
    pub(super) fn local(&self, node: NodeId, moment: Duration) -> Duration {
        let Some(clock) = self.clocks.get(&node) else { return moment };
        let stood_still = clock.stood_still.iter().rev().find(|(since, _)| *since <= moment);
        let ran = moment.saturating_sub(stood_still.map_or(Duration::ZERO, |(_, time)| *time));
        Duration::from_nanos(clock.spec.local(ran).as_nanos())
    }

    /// Whether its clock ever stood still.
    pub(super) fn has_stood_still(&self, node: NodeId) -> bool {
        self.clocks.get(&node).is_some_and(|clock| !clock.stood_still.is_empty())
    }
}
