use kcl_aggregation::{Decoded, decode};
use kcl_core::{
    Checkpoint, ChildShard, ErrorKind, ExtendedSequenceNumber, ReadPosition, ShardId, ShardReader, StartStrategy, StreamReader,
    Wall,
};

use super::peer::Peer;

/// What a read gave.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Page {
    Records(Vec<ExtendedSequenceNumber>),
    /// The end of the shard, after these records; no children if the shard is gone.
    End(Vec<ExtendedSequenceNumber>, Vec<ChildShard>),
    /// Nothing; it is tried again.
    Nothing,
}

/// Reads one shard from a checkpoint on.
pub(super) struct Fetcher {
    shard: ShardId,
    start: Checkpoint,
    last: Option<ExtendedSequenceNumber>,
    reader: Option<Box<dyn ShardReader>>,
}

impl Fetcher {
    pub(super) fn new(shard: ShardId, start: Checkpoint) -> Self {
        Self { last: start.position().cloned(), shard, start, reader: None }
    }

    /// Where the stream is asked to begin: at the last record, which is left out then, not after it.
    fn position(&self, start: StartStrategy) -> ReadPosition {
        match (&self.last, &self.start, start) {
            (Some(last), ..) => ReadPosition::At(last.sequence_number.clone()),
            (None, Checkpoint::Latest, _) => ReadPosition::Latest,
            (None, Checkpoint::AtTimestamp, StartStrategy::Timestamp(millis)) => {
                ReadPosition::AtTimestamp(Wall::from_unix_millis(millis))
            }
            _ => ReadPosition::TrimHorizon,
        }
    }

    /// Has an iterator from here on; `Some` page if the shard is gone.
    pub(super) async fn open(&mut self, peer: &Peer) -> Option<Page> {
        if self.reader.is_some() {
            return None;
        }
        match peer.stream.open(&self.shard, &self.position(peer.settings.start)).await {
            Ok(reader) => self.reader = Some(reader),
            Err(error) if error.kind() == ErrorKind::NotFound => return Some(Page::End(Vec::new(), Vec::new())),
            Err(_) => return Some(Page::Nothing),
        }
        None
    }

    /// One `GetRecords`. An expired iterator is asked for again where the last record was; an end that does not name the children is
    /// no end.
    pub(super) async fn next(&mut self, peer: &Peer) -> Page {
        if let Some(page) = self.open(peer).await {
            return page;
        }
        let Some(reader) = self.reader.as_mut() else { return Page::Nothing };
        let event = match reader.next().await {
            Ok(event) => event,
            Err(error) => {
                if error.kind() == ErrorKind::Expired {
                    self.reader = None;
                }
                return if error.kind() == ErrorKind::NotFound { Page::End(Vec::new(), Vec::new()) } else { Page::Nothing };
            }
        };
        let records = self.fresh(&event.records);
        if let Some(last) = records.last() {
            self.last = Some(last.clone());
        }
        match event.end {
            Some(end) if !end.children.is_empty() => Page::End(records, end.children),
            Some(_) => {
                self.reader = None;
                Page::Records(records)
            }
            None => Page::Records(records),
        }
    }

    /// The user records that were not delivered before.
    fn fresh(&self, records: &[kcl_core::Record]) -> Vec<ExtendedSequenceNumber> {
        let taken_apart = records.iter().flat_map(|record| {
            let position = |sub| ExtendedSequenceNumber::new(record.sequence_number.clone(), sub);
            match decode(&record.data) {
                Decoded::Aggregate(aggregate) => {
                    aggregate.user_records().map(|user| position(user.sub_sequence_number)).collect()
                }
                Decoded::Plain | Decoded::Undecodable(_) => vec![position(0)],
            }
        });
        taken_apart.filter(|position| self.last.as_ref().is_none_or(|last| last < position)).collect()
    }
}
