//! `ShardConsumer` and the main loop of `Scheduler`: who works on which shard.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::select;
use kcl_core::{Checkpoint, ExtendedSequenceNumber, Lease, LeaseKey};
use tokio::sync::watch;

use super::peer::{Consumer, Order, Peer};
use super::reader::{Fetcher, Page};
use crate::trace::{Answer, Call, Event, Tenure};

/// `shardConsumerDispatchPollIntervalMillis`.
const DISPATCH: Duration = Duration::from_secs(1);
/// `parentShardPollIntervalMillis`.
const PARENT_POLL: Duration = Duration::from_secs(10);

/// One tenure at work.
pub(super) struct Work {
    pub(super) peer: Arc<Peer>,
    pub(super) key: LeaseKey,
    pub(super) token: u64,
    pub(super) order: watch::Receiver<Order>,
    pub(super) tenure: Option<Tenure>,
    last: Option<ExtendedSequenceNumber>,
    batches: u64,
}

impl Peer {
    /// Every second: a consumer for each lease that is held, and the others are told that theirs is lost.
    pub(super) async fn dispatch_for_ever(self: Arc<Self>) {
        loop {
            self.dispatch();
            self.sleep(DISPATCH).await;
        }
    }

    fn dispatch(self: &Arc<Self>) {
        let now = self.now();
        let held = self.state().owned.held(now, self.settings.failover);
        let mut state = self.state();
        let is_held = |(key, token): &(LeaseKey, u64)| held.iter().any(|owned| owned.row.key == *key && owned.token == *token);
        state.consumers.retain(|name, consumer| is_held(name) || !consumer.is_done());
        for (_, consumer) in state.consumers.iter().filter(|(name, _)| !is_held(name)) {
            consumer.tell(Order::Lost);
        }
        if state.stopping {
            return;
        }
        for owned in held {
            let name = (owned.row.key.clone(), owned.token);
            if state.consumers.contains_key(&name) {
                continue;
            }
            let (order, orders) = watch::channel(Order::Run);
            let (peer, key, token) = (Arc::clone(self), owned.row.key.clone(), owned.token);
            let work = Work { peer, key, token, order: orders, tenure: None, last: None, batches: 0 };
            let (task, _) = self.sim.spawn(self.node, "java consumer", work.run(owned.row).boxed());
            state.consumers.insert(name, Consumer { order, task: Some(task) });
        }
    }
}

impl Work {
    /// From the start to the end of the tenure. The consumer of a lease that is lost, or whose shard is finished, stays known until
    /// the lease is gone, so that none begins anew.
    async fn run(mut self, row: Lease) {
        let lost = self.live(&row).await.is_none();
        let asked = *self.order.borrow();
        if lost && let Some(tenure) = &self.tenure {
            let call = if asked == Order::Stop { Call::ShutdownRequested } else { Call::LeaseLost };
            self.peer.trace.add(Event::Begin(tenure.clone(), call));
            self.store_last().await;
            self.peer.trace.add(Event::End(tenure.clone()));
        }
        let name = (self.key.clone(), self.token);
        let mut state = self.peer.state();
        if lost {
            state.owned.drop(&self.key, self.token);
        }
        state.consumers.remove(&name);
        if !lost {
            // It is kept and renewed until the row is cleaned up: nobody begins with it again.
            state.consumers.insert(name, Consumer::done());
        }
    }

    /// `None` once it may not go on, otherwise the shard is finished.
    async fn live(&mut self, row: &Lease) -> Option<()> {
        for parent in &row.parents {
            while !self.has_ended(&LeaseKey::of_shard(parent)).await {
                self.pause(PARENT_POLL).await?;
            }
        }
        self.going()?;
        if row.checkpoint.is_shard_end() {
            return self.finish(None).await;
        }
        let mut fetcher = Fetcher::new(self.key.shard_id(), row.checkpoint.clone());
        let mut first = fetcher.open(&self.peer).await;
        while first == Some(Page::Nothing) {
            self.pause(DISPATCH).await?;
            first = fetcher.open(&self.peer).await;
        }
        self.going()?;
        self.initialize(row).await;
        loop {
            self.going()?;
            let page = match first.take() {
                Some(page) => page,
                None => fetcher.next(&self.peer).await,
            };
            let behind = matches!(&page, Page::Records(records) if !records.is_empty());
            match page {
                Page::Records(records) => self.process(records).await,
                Page::End(records, children) => {
                    self.process(records).await;
                    return self.finish(Some(children)).await;
                }
                Page::Nothing => {}
            }
            // Five reads in a second are allowed.
            let idle = if behind { self.peer.settings.poll.min(Duration::from_millis(200)) } else { self.peer.settings.poll };
            self.pause(idle).await?;
        }
    }

    async fn initialize(&mut self, row: &Lease) {
        let number = self.peer.tenures.fetch_add(1, Ordering::Relaxed) + 1;
        let tenure = Tenure { node: self.peer.node, shard: self.key.shard_id(), number };
        self.peer.trace.add(Event::Begin(tenure.clone(), Call::Initialize(row.checkpoint.clone())));
        self.peer.sim.sleep(Duration::from_millis(1)).await;
        self.peer.trace.add(Event::End(tenure.clone()));
        self.tenure = Some(tenure);
    }

    async fn process(&mut self, records: Vec<ExtendedSequenceNumber>) {
        let Some(tenure) = self.tenure.clone().filter(|_| !records.is_empty()) else { return };
        let last = records.last().cloned();
        self.peer.trace.add(Event::Begin(tenure.clone(), Call::Process(records)));
        self.batches += 1;
        let behaviour = self.peer.behaviour;
        self.peer.sim.sleep(behaviour.duration(self.peer.sim.seed(), tenure.number, self.batches)).await;
        self.peer.trace.add(Event::Processed(tenure.clone()));
        self.last = last;
        if self.batches.is_multiple_of(behaviour.checkpoint_every.max(1)) {
            self.store_last().await;
        }
        self.peer.trace.add(Event::End(tenure));
    }

    async fn store_last(&self) {
        if let Some(last) = self.last.clone() {
            self.store(Checkpoint::At(last)).await;
        }
    }

    /// A checkpoint of the application.
    pub(super) async fn store(&self, checkpoint: Checkpoint) -> Answer {
        let Some(tenure) = self.tenure.clone() else { return Answer::Refused };
        self.peer.trace.add(Event::Asked(tenure.clone(), checkpoint.clone()));
        let answer = self.peer.store(&self.key, self.token, checkpoint.clone()).await;
        self.peer.trace.add(Event::Answered(tenure, checkpoint, answer));
        answer
    }

    /// Whether the parent may be left behind: its row is gone, or finished.
    async fn has_ended(&self, parent: &LeaseKey) -> bool {
        self.peer.table.get(parent).await.is_ok_and(|row| row.is_none_or(|row| row.checkpoint.is_shard_end()))
    }

    pub(super) fn going(&self) -> Option<()> {
        (*self.order.borrow() == Order::Run).then_some(())
    }

    /// `None` if it was told meanwhile not to go on.
    pub(super) async fn pause(&mut self, time: Duration) -> Option<()> {
        let peer = Arc::clone(&self.peer);
        // The sender lives as long as the consumer is known.
        let told = async { drop(self.order.wait_for(|order| *order != Order::Run).await) };
        drop(select(Box::pin(told), Box::pin(peer.sleep(time))).await);
        self.going()
    }
}
