use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use kcl_core::{
    ErrorKind, ReadError, ReadPosition, Record, SequenceNumber, Shard, ShardEvent, ShardFilter, ShardId, ShardReader,
    StreamReader,
};

use super::loss::Losses;
use super::{Fault, FaultCall, FaultHandle, FaultPlan, FaultTarget};

/// A call of a [`StreamReader`] or of one of its readers, for planning faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StreamCall {
    /// [`StreamReader::list_shards`].
    ListShards,
    /// [`StreamReader::open`].
    Open,
    /// [`ShardReader::next`].
    Next,
}

impl StreamCall {
    /// Only calls for this shard. `ListShards` is for none.
    pub fn of(self, shard: impl Into<String>) -> FaultTarget<Self> {
        FaultTarget::of(self, shard.into())
    }

    const fn operation(self) -> &'static str {
        match self {
            Self::ListShards => "list_shards",
            Self::Open => "open",
            Self::Next => "next",
        }
    }
}

impl FaultCall for StreamCall {
    fn covers(self, call: Self) -> bool {
        self == call
    }
}

/// A stream with faults that a test plans. A handle: clones share the stream, the plan and the losses.
///
/// Its readers keep the contract of a [`ShardReader`] whatever fault they meet: nothing is skipped after an error or when
/// a future is dropped. Only [`lose_record`](Self::lose_record) and [`lose_records_where`](Self::lose_records_where) break
/// it, to prove that a test would notice a loss.
#[derive(Clone)]
pub struct FaultyStream {
    inner: Arc<dyn StreamReader>,
    plan: FaultPlan<StreamCall>,
    losses: Arc<Mutex<Losses>>,
}

impl FaultyStream {
    /// Wraps a stream; without faults at first.
    pub fn new(stream: impl StreamReader) -> Self {
        Self::over(Arc::new(stream))
    }

    /// Wraps a stream that is shared; without faults at first.
    pub fn over(stream: Arc<dyn StreamReader>) -> Self {
        Self { inner: stream, plan: FaultPlan::new(), losses: Arc::default() }
    }

    /// The faults that are still to happen.
    pub const fn faults(&self) -> &FaultPlan<StreamCall> {
        &self.plan
    }

    /// Loses, for good, the `n`th record that is read from now on, over all readers; 0 counts as 1.
    pub fn lose_record(&self, n: u64) {
        self.losses().lose_after(n.saturating_sub(1));
    }

    /// Loses, for good, every record that the predicate picks. It must not call this stream.
    pub fn lose_records_where(&self, predicate: impl Fn(&ShardId, &Record) -> bool + Send + 'static) {
        self.losses().lose_where(Box::new(predicate));
    }

    /// The records that were read and lost so far, by shard and sequence number.
    pub fn lost_records(&self) -> Vec<(ShardId, SequenceNumber)> {
        self.losses().lost()
    }

    fn losses(&self) -> MutexGuard<'_, Losses> {
        self.losses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For `list_shards` and `open`, which only read: whatever is lost or late can be asked again.
    async fn around<T: Send>(
        &self,
        call: StreamCall,
        subject: &str,
        inner: impl Future<Output = Result<T, ReadError>> + Send,
    ) -> Result<T, ReadError> {
        let Some((fault, handle)) = self.plan.meet(call, subject) else {
            return inner.await;
        };
        if let Some(error) = refusal(fault, call, subject) {
            return Err(error);
        }
        match fault {
            Fault::DelayReply => {
                let answer = inner.await;
                handle.released().await;
                answer
            }
            Fault::LoseReply => {
                drop(inner.await);
                Err(lost(call, subject))
            }
            _ => {
                handle.released().await;
                inner.await
            }
        }
    }
}

/// The error of a fault that comes before anything is done.
fn refusal(fault: Fault, call: StreamCall, subject: &str) -> Option<ReadError> {
    let kind = match fault {
        Fault::Delay | Fault::DelayReply | Fault::LoseReply => return None,
        Fault::Throttle => ErrorKind::Throttled,
        Fault::FailBefore(kind) => kind,
        Fault::ApplyLate => ErrorKind::Unavailable,
    };
    Some(planned(kind, call, subject))
}

fn lost(call: StreamCall, subject: &str) -> ReadError {
    planned(ErrorKind::Unavailable, call, subject)
}

fn planned(kind: ErrorKind, call: StreamCall, subject: &str) -> ReadError {
    ReadError::new(kind, call.operation(), subject).with_hint("a planned fault")
}

#[async_trait]
impl StreamReader for FaultyStream {
    async fn list_shards(&self, filter: ShardFilter) -> Result<Vec<Shard>, ReadError> {
        self.around(StreamCall::ListShards, "", self.inner.list_shards(filter)).await
    }

    async fn open(&self, shard: &ShardId, position: &ReadPosition) -> Result<Box<dyn ShardReader>, ReadError> {
        let inner = self.around(StreamCall::Open, shard, self.inner.open(shard, position)).await?;
        Ok(Box::new(FaultyReader { stream: self.clone(), shard: shard.clone(), inner, kept: None, held: None }))
    }
}

struct FaultyReader {
    stream: FaultyStream,
    shard: ShardId,
    inner: Box<dyn ShardReader>,
    /// An event that was read and not given yet.
    kept: Option<ShardEvent>,
    /// The fault that holds `kept` back, also after the future that met it was dropped.
    held: Option<FaultHandle>,
}

impl FaultyReader {
    async fn fetch(&mut self) -> Result<ShardEvent, ReadError> {
        if let Some(event) = self.kept.take() {
            return Ok(event);
        }
        let mut event = self.inner.next().await?;
        let mut losses = self.stream.losses();
        event.records.retain(|record| losses.keeps(&self.shard, record));
        Ok(event)
    }
}

#[async_trait]
impl ShardReader for FaultyReader {
    async fn next(&mut self) -> Result<ShardEvent, ReadError> {
        if self.held.is_none()
            && let Some((fault, handle)) = self.stream.plan.meet(StreamCall::Next, &self.shard)
        {
            if let Some(error) = refusal(fault, StreamCall::Next, &self.shard) {
                return Err(error);
            }
            match fault {
                Fault::DelayReply => {
                    self.kept = Some(self.fetch().await?);
                    self.held = Some(handle);
                }
                Fault::LoseReply => {
                    self.kept = Some(self.fetch().await?);
                    return Err(lost(StreamCall::Next, &self.shard));
                }
                _ => handle.released().await,
            }
        }
        if let Some(held) = &self.held {
            held.released().await;
            self.held = None;
        }
        self.fetch().await
    }
}

impl fmt::Debug for FaultyStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyStream").field("plan", &self.plan).field("losses", &self.losses()).finish_non_exhaustive()
    }
}
