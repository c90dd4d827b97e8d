use std::time::Duration;

use crate::{LeaseKey, Mono};

/// How many rows a round reads while the store does not answer: one, now and then, until it does. A fleet whose every lease
/// seems to have expired would otherwise read its whole table again and again, each worker for itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReadPacing {
    retry: Duration,
    /// Until when nothing is read, since the last read failed.
    not_before: Option<Mono>,
}

impl ReadPacing {
    /// Tries again after `retry` when a read has failed.
    pub const fn new(retry: Duration) -> Self {
        Self { retry, not_before: None }
    }

    /// Of the rows that are to be read, those that may be read now.
    pub fn admit(&self, now: Mono, mut rows: Vec<LeaseKey>) -> Vec<LeaseKey> {
        match self.not_before {
            Some(moment) if now < moment => rows.clear(),
            Some(_) => rows.truncate(1),
            None => {}
        }
        rows
    }

    /// A read was answered, or failed.
    pub fn answered(&mut self, now: Mono, failed: bool) {
        self.not_before = failed.then_some(now + self.retry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_row_is_tried_until_the_store_answers() {
        let rows = || ["a", "b", "c"].map(LeaseKey::from).to_vec();
        let at = |seconds: u64| Mono::from_millis(seconds * 1000);
        let mut pacing = ReadPacing::new(Duration::from_secs(3));
        assert_eq!(pacing.admit(at(1), rows()).len(), 3);
        pacing.answered(at(2), true);
        assert!(pacing.admit(at(4), rows()).is_empty());
        assert_eq!(pacing.admit(at(5), rows()), [LeaseKey::from("a")]);
        pacing.answered(at(6), true);
        assert!(pacing.admit(at(8), rows()).is_empty());
        assert_eq!(pacing.admit(at(9), rows()).len(), 1);
        pacing.answered(at(10), false);
        assert_eq!(pacing.admit(at(10), rows()).len(), 3);
    }
}
