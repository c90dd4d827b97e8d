//! The driver of one shard in one tenure: read, take aggregates apart, deliver, finish.

mod callback;
mod end;
mod feed;
mod source;

use std::sync::Arc;

use kcl_core::{
    Checkpointer, Lease, LeaseInfo, Measurement, Mono, Phase, PollPacer, ShardLifecycle, ShardRecordProcessor, Step, StopReason,
    Surroundings, TenureEnd, Unit,
};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::cell::LeaseCell;
use crate::command::{Command, ConsumerEnd, Tenancy};
use crate::parts::Parts;
use crate::port::TenurePort;
use crate::race::race2;
use callback::contained;
use feed::Feed;
use source::Source;

/// What the coordinator gives a driver to start with.
pub(crate) struct ConsumerStart {
    pub(crate) parts: Arc<Parts>,
    pub(crate) tenancy: Tenancy,
    pub(crate) cell: Arc<LeaseCell>,
    pub(crate) lease: Lease,
    pub(crate) commands: mpsc::Sender<Command>,
    /// Cancelled when the worker shuts down or the lease is handed off.
    pub(crate) leave: CancellationToken,
}

/// Runs the driver to its end and leaves behind how it ended; if nothing is left behind, the task is gone.
pub(crate) async fn run(start: ConsumerStart, ended: oneshot::Sender<ConsumerEnd>) {
    let end = Consumer::new(start).run().await;
    // A coordinator that is gone needs no telling.
    let _ = ended.send(end);
}

struct Consumer {
    parts: Arc<Parts>,
    tenancy: Tenancy,
    cell: Arc<LeaseCell>,
    info: LeaseInfo,
    commands: mpsc::Sender<Command>,
    leave: CancellationToken,
    phases: watch::Receiver<Phase>,
    lifecycle: ShardLifecycle,
    processor: Option<Box<dyn ShardRecordProcessor>>,
    pacer: PollPacer,
    source: Source,
    feed: Feed,
    millis_behind_latest: i64,
    /// Set when the reader said that nothing follows what is in the feed.
    end: Option<kcl_core::ShardEndEvent>,
    end_pacer: PollPacer,
    /// Since when complete listings lack the shard.
    missing_since: Option<Mono>,
    /// Whether the reader has said once that nothing follows.
    all_read: bool,
    /// Set once the coordinator is gone: nobody renews the lease any more.
    abandoned: bool,
}

impl Consumer {
    fn new(start: ConsumerStart) -> Self {
        let ConsumerStart { parts, tenancy, cell, lease, commands, leave } = start;
        let info =
            LeaseInfo::new(parts.config.stream.clone(), lease.key.clone(), lease.checkpoint.clone(), lease.pending.clone());
        let retry = parts.config.poll_interval;
        Self {
            info,
            phases: cell.watch_phase(),
            lifecycle: ShardLifecycle::default(),
            processor: None,
            pacer: PollPacer::new(retry),
            source: Source::new(&lease, parts.config.management.start_strategy, parts.env.wall()),
            feed: Feed::new(lease.checkpoint.position().cloned()),
            millis_behind_latest: 0,
            end: None,
            end_pacer: PollPacer::new(retry),
            missing_since: None,
            all_read: false,
            abandoned: false,
            parts,
            tenancy,
            cell,
            commands,
            leave,
        }
    }

    fn now(&self) -> Mono {
        self.parts.env.now()
    }

    fn surroundings(&mut self) -> Surroundings {
        Surroundings {
            phase: if self.abandoned { Phase::Dead(TenureEnd::Lost) } else { *self.phases.borrow_and_update() },
            leaving: self.leave.is_cancelled(),
            end_is_durable: self.cell.end_is_durable(),
        }
    }

    async fn run(mut self) -> ConsumerEnd {
        loop {
            let around = self.surroundings();
            let stopped = match self.lifecycle.next(self.now(), around) {
                Step::Initialize => self.initialize().await,
                Step::Read => self.step().await,
                Step::CallShardEnded => self.call_shard_ended().await,
                Step::CallShutdownRequested => self.call_shutdown_requested().await,
                Step::CallLeaseLost => self.call_lease_lost().await,
                Step::Wait(until) => self.wait(until, around.leaving).await,
                Step::Stop(reason) => Err(match reason {
                    StopReason::LeaseLost => ConsumerEnd::LeaseLost,
                    StopReason::Ended => ConsumerEnd::Ended,
                    StopReason::ShutDown => ConsumerEnd::ShutDown,
                }),
            };
            if let Err(end) = stopped {
                if end == ConsumerEnd::ProcessorPanicked {
                    // At once: what the application's other tasks still ask for must not be stored (protocol rule P13).
                    self.cell.close();
                }
                if end == ConsumerEnd::ShardGone {
                    self.cell.close();
                    // Its last call all the same; whether it panics makes no difference any more.
                    let _ = self.call_lease_lost().await;
                }
                callback::drop_contained(self.processor.take());
                return end;
            }
        }
    }

    /// Waits until the phase changes, the shard is to be left (unless it is), the coordinator is gone, or `until`.
    async fn wait(&mut self, until: Option<Mono>, leaving: bool) -> Result<(), ConsumerEnd> {
        let env = Arc::clone(&self.parts.env);
        let sleep = async {
            match until {
                Some(moment) => env.sleep_until(moment).await,
                None => std::future::pending().await,
            }
        };
        let left = async {
            if leaving {
                std::future::pending::<()>().await;
            }
            self.leave.cancelled().await;
        };
        let alarm = race2(self.commands.closed(), race2(self.phases.changed(), race2(left, sleep)));
        if matches!(alarm.await, crate::race::Either::First(())) {
            self.abandon();
        }
        Ok(())
    }

    /// The coordinator is gone, and with it the lease: no checkpoint is admitted any more, not even one that is stored.
    fn abandon(&mut self) {
        self.abandoned = true;
        self.cell.close();
    }

    async fn initialize(&mut self) -> Result<(), ConsumerEnd> {
        if !self.cell.begin_callback(self.now(), None) {
            return self.wait(None, false).await;
        }
        let port = TenurePort {
            parts: Arc::clone(&self.parts),
            info: self.info.clone(),
            tenancy: self.tenancy.clone(),
            cell: Arc::clone(&self.cell),
            commands: self.commands.clone(),
        };
        let started = self.now();
        let made = contained(self.parts.factory.initialize(Checkpointer::new(Arc::new(port)))).await;
        self.measure(Measurement::time("InitializeTask", "RecordProcessor.initialize.Time", self.now().since(started)));
        self.processor = Some(made.map_err(|_| ConsumerEnd::ProcessorPanicked)?);
        self.lifecycle.initialized();
        Ok(())
    }

    /// One step of the record path: deliver what is at hand, or finish the shard, or read.
    async fn step(&mut self) -> Result<(), ConsumerEnd> {
        let ready = self.feed.prepare(self.parts.config.max_records_per_call);
        self.report_undecodable();
        if ready {
            return self.deliver().await;
        }
        if self.end.is_some() {
            return self.finish().await;
        }
        let due = self.pacer.next_read();
        if self.now() < due {
            return self.wait(Some(due), false).await;
        }
        self.read().await
    }

    async fn deliver(&mut self) -> Result<(), ConsumerEnd> {
        let Some(last) = self.feed.prepared_up_to() else { return Ok(()) };
        // No await between this check and the callback (protocol rule P7).
        if !self.cell.begin_callback(self.now(), Some(last)) {
            return self.wait(None, false).await;
        }
        let Some(processor) = &self.processor else { return Ok(()) };
        let records = self.feed.take_prepared();
        let count = records.len() as u64;
        let bytes: usize = records.iter().map(|record| record.record.data.len()).sum();
        let started = self.now();
        contained(processor.process_records(records, self.millis_behind_latest))
            .await
            .map_err(|_| ConsumerEnd::ProcessorPanicked)?;
        let now = self.now();
        self.parts.status.delivered(now, &self.tenancy.key, count);
        let shard = &self.info.shard_id;
        let in_process = |name, value: f64| Measurement::count("ProcessTask", name, value).of_shard(shard);
        #[allow(clippy::cast_precision_loss, reason = "a measurement may round above 2^53")]
        let measurements = [
            in_process("RecordsProcessed", count as f64),
            in_process("DataBytesProcessed", bytes as f64).in_unit(Unit::Bytes),
            Measurement::time("ProcessTask", "RecordProcessor.processRecords.Time", now.since(started)).of_shard(shard),
        ];
        measurements.into_iter().for_each(|measurement| self.measure(measurement));
        Ok(())
    }

    /// Aggregates that could not be taken apart were delivered as they are: counted by reason, and named once a read.
    fn report_undecodable(&mut self) {
        let reasons = self.feed.take_undecodable();
        if let Some(reason) = reasons.first() {
            tracing::warn!(
                shard = %self.info.shard_id, records = reasons.len(), first = %reason,
                "aggregated records that cannot be decoded are delivered as they are"
            );
        }
        for reason in reasons {
            let name = match reason.label() {
                "digest" => "UndecodableAggregates.Digest",
                "protobuf" => "UndecodableAggregates.Protobuf",
                "index" => "UndecodableAggregates.Index",
                _ => "UndecodableAggregates.HashKey",
            };
            self.measure(Measurement::count("ProcessTask", name, 1.0).of_shard(&self.info.shard_id));
        }
    }

    async fn call_shard_ended(&mut self) -> Result<(), ConsumerEnd> {
        if !self.cell.begin_callback(self.now(), None) {
            return self.wait(None, false).await;
        }
        if let Some(processor) = &self.processor {
            contained(processor.shard_ended()).await.map_err(|_| ConsumerEnd::ProcessorPanicked)?;
        }
        self.lifecycle.shard_ended_called(self.now());
        if !self.cell.end_is_durable() && self.lifecycle.shard_ended_calls().is_power_of_two() {
            tracing::warn!(
                shard = %self.info.shard_id, calls = self.lifecycle.shard_ended_calls(),
                "shard_ended returned without a successful end(): the shard's children cannot start"
            );
        }
        Ok(())
    }

    async fn call_shutdown_requested(&mut self) -> Result<(), ConsumerEnd> {
        if !self.cell.begin_callback(self.now(), None) {
            return self.wait(None, true).await;
        }
        if let Some(processor) = &self.processor {
            contained(processor.shutdown_requested()).await.map_err(|_| ConsumerEnd::ProcessorPanicked)?;
        }
        self.lifecycle.shutdown_called();
        Ok(())
    }

    async fn call_lease_lost(&mut self) -> Result<(), ConsumerEnd> {
        if let Some(processor) = &self.processor {
            contained(processor.lease_lost()).await.map_err(|_| ConsumerEnd::LeaseLost)?;
        }
        self.lifecycle.lease_lost_called();
        Ok(())
    }

    fn measure(&self, measurement: Measurement) {
        self.parts.metrics.record(&measurement);
    }
}
