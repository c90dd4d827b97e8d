//! S18: a tenure holds the records of one read at a time: it reads on only once all of them were handed over, and a read
//! gives no more than the stream's limit.
//!
//! That bounds what is buffered by one largest response for each shard. A budget of bytes over all shards of a process
//! extends this: then reads are counted against it, too.

use std::collections::BTreeMap;

use kcl_core::{Checkpoint, ExtendedSequenceNumber, SequenceNumber, ShardId};

use super::{Finding, Run};
use crate::exec::NodeId;
use crate::trace::{Call, Event};

/// What a tenure has in hand.
#[derive(Default)]
struct Hand {
    /// The last user record of the last read.
    awaited: Option<ExtendedSequenceNumber>,
    /// The last one that was handed over, or the position at which the tenure began.
    handed_over: Option<ExtendedSequenceNumber>,
}

impl Hand {
    /// What is still in hand.
    fn held(&self) -> Option<&ExtendedSequenceNumber> {
        self.awaited.as_ref().filter(|awaited| self.handed_over.as_ref().is_none_or(|done| done < *awaited))
    }
}

/// The stored records of a shard, each by the last of its user records.
type Stored = Vec<ExtendedSequenceNumber>;

fn put(stored: &mut Stored, position: &ExtendedSequenceNumber) {
    match stored.last_mut().filter(|last| last.sequence_number == position.sequence_number) {
        Some(last) => last.clone_from(position),
        None => stored.push(position.clone()),
    }
}

/// The last user record of so many stored records from this one on.
fn last_of(stored: &Stored, first: &SequenceNumber, count: usize) -> Option<ExtendedSequenceNumber> {
    let from = stored.partition_point(|position| position.sequence_number < *first);
    stored.get(from + count.saturating_sub(1)).cloned()
}

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let most = run.options.batch * 2;
    let mut shards: BTreeMap<&ShardId, Stored> = BTreeMap::new();
    let mut hands: BTreeMap<(NodeId, &ShardId), Hand> = BTreeMap::new();
    for (index, entry) in run.entries.iter().enumerate() {
        match &entry.event {
            Event::Put(shard, position, _) => put(shards.entry(shard).or_default(), position),
            Event::Begin(tenure, Call::Initialize(start)) => {
                let handed_over = if let Checkpoint::At(position) = start { Some(position.clone()) } else { None };
                hands.insert((tenure.node, &tenure.shard), Hand { awaited: None, handed_over });
            }
            Event::Begin(tenure, Call::Process(positions)) => {
                hands.entry((tenure.node, &tenure.shard)).or_default().handed_over = positions.last().cloned();
            }
            Event::Read(node, shard, first, count, _) => {
                let hand = hands.entry((*node, shard)).or_default();
                if let Some(held) = hand.held() {
                    return Err((index, format!("{node:?} read {shard} and still holds records up to {held}")));
                }
                if *count > most {
                    return Err((index, format!("{node:?} read {count} records of {shard} at once, more than {most}")));
                }
                if let (Some(first), Some(stored)) = (first, shards.get(shard)) {
                    hand.awaited = last_of(stored, first, *count);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::oracle::log::{Log, at, tenure};
    use kcl_core::Checkpoint;

    #[test]
    fn a_tenure_reads_on_only_once_everything_was_handed_over() {
        let first = tenure(1, "p", 1);
        let put = || (1..=4).fold(Log::new(), |log, number| log.put("p", number, "key"));
        let log = || put().initialize(&first, Checkpoint::TrimHorizon).read(1, "p", 1, 2);
        assert_eq!(log().hand_over(&first, &[1]).hand_over(&first, &[2]).read(1, "p", 3, 1).judge(check), None);
        assert!(log().hand_over(&first, &[1]).read(1, "p", 3, 1).judge(check).unwrap().ends_with("records up to 2.0"));
        assert!(log().hand_over(&first, &[1, 2]).read(1, "p", 1, 3).judge(check).unwrap().ends_with("more than 2"));
        let later = log().initialize(&tenure(1, "p", 2), at(2));
        assert_eq!(later.read(1, "p", 2, 1).read(1, "p", 3, 1).judge(check), None, "2 was processed before");
    }
}
