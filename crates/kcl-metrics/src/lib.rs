//! Metrics sinks of the kcl Kinesis consumer library.
//!
//! [`CloudWatchSink`] takes the library's measurements, adds them up in memory and sends the sums to Amazon CloudWatch
//! under the names and dimensions that the Java library uses, so that existing dashboards and alarms go on working.
//!
//! A sink never blocks the code that measures, never starts a task and never reads a clock: the runtime calls
//! [`publish`](kcl_core::MetricsPublisher::publish) once per [`period`](kcl_core::MetricsPublisher::period). What cannot
//! be sent waits, added up, for the next call; memory is bounded by the number of distinct metrics.
//!
//! ```
//! use kcl_core::{Measurement, MetricsSink};
//! use kcl_metrics::CloudWatchSink;
//!
//! # fn f(config: &aws_types::SdkConfig) {
//! let sink = CloudWatchSink::from_config(config, "my-app-leases");
//! sink.record(&Measurement::count("TakeLeases", "TakenLeases", 3.0));
//! # }
//! ```

mod cloudwatch;
mod datum;
mod dropped;
mod in_flight;
mod options;
mod statistic;
mod table;

pub use cloudwatch::CloudWatchSink;
pub use dropped::Dropped;
pub use options::{CloudWatchOptions, Dimension};
