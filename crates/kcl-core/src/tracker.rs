use crate::{Checkpoint, CheckpointError, ExtendedSequenceNumber};

/// Which checkpoints one tenure may store: from the last stored one up to the last delivered record, and the end of
/// the shard once all of it was delivered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CheckpointTracker {
    stored: Checkpoint,
    delivered: Option<ExtendedSequenceNumber>,
    ended: bool,
}

/// What to do with a checkpoint that is in range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Admission {
    /// Write it.
    Write,
    /// It is stored already.
    AlreadyStored,
}

impl CheckpointTracker {
    /// A tenure that begins right after `stored`.
    pub const fn new(stored: Checkpoint) -> Self {
        Self { stored, delivered: None, ended: false }
    }

    /// Every record up to and including `position` is about to be handed over.
    pub fn deliver(&mut self, position: ExtendedSequenceNumber) {
        if self.delivered.as_ref().is_none_or(|delivered| *delivered < position) {
            self.delivered = Some(position);
        }
    }

    /// Every record of the shard was handed over and accepted.
    pub const fn reach_end(&mut self) {
        self.ended = true;
    }

    /// `checkpoint` is durable.
    pub fn store(&mut self, checkpoint: &Checkpoint) {
        if self.stored < *checkpoint {
            self.stored = checkpoint.clone();
        }
    }

    /// The last delivered position.
    pub const fn delivered(&self) -> Option<&ExtendedSequenceNumber> {
        self.delivered.as_ref()
    }

    /// The last durable checkpoint.
    pub const fn stored(&self) -> &Checkpoint {
        &self.stored
    }

    /// Whether `checkpoint` may be stored now.
    ///
    /// # Errors
    /// [`CheckpointError::OutOfRange`] or [`CheckpointError::NotEnded`].
    pub fn admit(&self, checkpoint: &Checkpoint) -> Result<Admission, CheckpointError> {
        if *checkpoint == self.stored && !checkpoint.is_initial() {
            return Ok(Admission::AlreadyStored);
        }
        let in_range = match checkpoint {
            Checkpoint::ShardEnd if !self.ended => return Err(CheckpointError::NotEnded),
            Checkpoint::ShardEnd => true,
            Checkpoint::At(position) => {
                self.stored < *checkpoint && self.delivered.as_ref().is_some_and(|delivered| position <= delivered)
            }
            _ => false,
        };
        if in_range {
            return Ok(Admission::Write);
        }
        let highest = self.delivered.clone().map_or_else(|| self.stored.clone(), Checkpoint::At);
        Err(CheckpointError::OutOfRange { position: checkpoint.clone(), lowest: self.stored.clone(), highest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SequenceNumber;

    fn position(sequence: u64, sub: u64) -> ExtendedSequenceNumber {
        ExtendedSequenceNumber::new(SequenceNumber::from(sequence), sub)
    }

    fn at(sequence: u64, sub: u64) -> Checkpoint {
        Checkpoint::At(position(sequence, sub))
    }

    #[test]
    fn only_what_was_delivered_and_never_back() {
        let mut tracker = CheckpointTracker::new(at(5, 1));
        assert!(matches!(tracker.admit(&at(6, 0)), Err(CheckpointError::OutOfRange { .. })), "nothing delivered yet");
        tracker.deliver(position(7, 2));
        let cases = [
            (at(5, 0), None),
            (at(5, 1), Some(Admission::AlreadyStored)),
            (at(5, 2), Some(Admission::Write)),
            (at(7, 2), Some(Admission::Write)),
            (at(7, 3), None),
            (Checkpoint::Latest, None),
            (Checkpoint::TrimHorizon, None),
        ];
        for (checkpoint, expected) in cases {
            assert_eq!(tracker.admit(&checkpoint).ok(), expected, "{checkpoint}");
        }
        tracker.store(&at(7, 2));
        assert!(tracker.admit(&at(7, 1)).is_err());
    }

    #[test]
    fn the_end_only_once_it_is_reached() {
        let mut tracker = CheckpointTracker::new(Checkpoint::TrimHorizon);
        assert!(matches!(tracker.admit(&Checkpoint::ShardEnd), Err(CheckpointError::NotEnded)));
        tracker.reach_end();
        assert_eq!(tracker.admit(&Checkpoint::ShardEnd).ok(), Some(Admission::Write));
        tracker.store(&Checkpoint::ShardEnd);
        assert_eq!(tracker.admit(&Checkpoint::ShardEnd).ok(), Some(Admission::AlreadyStored));
        tracker.deliver(position(1, 0));
        assert!(tracker.admit(&at(1, 0)).is_err(), "nothing follows the end");
    }
}
