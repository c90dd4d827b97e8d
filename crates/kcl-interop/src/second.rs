//! The conformance suites on servers that no other test uses: what our adapters take for right is then not only what the
//! embedded servers do.
//!
//! Each case has a table or a stream of its own. What a server is known to get wrong ([`deviations`]) has to fail: a case that
//! passes although it is listed fails the run like one that fails and is not.

mod deviations;
mod dynamodb;
mod kinesis;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use deviations::Deviation;

use crate::failure::Failure;
use crate::options::Options;
use crate::servers;
use crate::tools;

/// A case of a suite on a server.
pub(crate) struct Case<'a> {
    /// The server and the case: what is printed, and what `--only` looks for.
    name: String,
    /// How it has to fail, if it has to.
    deviation: Option<&'static Deviation>,
    run: Box<dyn Fn(&tokio::runtime::Runtime) + Send + 'a>,
}

impl Case<'_> {
    fn new<'a>(server: &str, name: &str, run: impl Fn(&tokio::runtime::Runtime) + Send + 'a) -> Case<'a> {
        let deviation = deviations::of(server, name);
        Case { name: format!("{server}: {name}"), deviation, run: Box::new(run) }
    }
}

/// Runs both suites. Yields whether every case ended as it should.
///
/// # Errors
/// If a server cannot be fetched or does not come up.
pub(crate) fn run(folder: &Path, options: &Options) -> Result<bool, Failure> {
    let began = Instant::now();
    let (kinesis, dynamodb) = (tools::kinesis_server(folder)?, tools::second_dynamodb(folder)?);
    let logs = folder.join("second-servers");
    // Streams and tables are gone with the servers; the folder keeps logs only.
    tools::make(&logs)?;
    let (_kinesis, kinesis_url) = servers::start_kinesis(&kinesis, &logs)?;
    let (_dynamodb, dynamodb_url) = servers::start_second_dynamodb(&dynamodb, &logs)?;
    println!("started after {:.1} s\n", began.elapsed().as_secs_f64());
    let only = options.only.as_deref().unwrap_or_default();
    let mut cases = dynamodb::cases(&dynamodb_url);
    cases.extend(kinesis::cases(&kinesis_url));
    cases.retain(|case| case.name.contains(only));
    if cases.is_empty() {
        return Err(Failure::new(format!("there is no such case: {only}")));
    }
    let (count, deviations) = (cases.len(), cases.iter().filter(|case| case.deviation.is_some()).count());
    let failed = run_all(cases, options.parallel);
    println!(
        "\nsecond servers: {count} cases, {deviations} deviations of the servers, {failed} failed, {:.1} s",
        began.elapsed().as_secs_f64()
    );
    Ok(failed == 0)
}

/// Runs all, a few at a time, and prints a line for each. Yields how many did not end as they should.
fn run_all(cases: Vec<Case<'_>>, parallel: u32) -> usize {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(|panic| LAST_PANIC.set(panic.to_string())));
    let queue = Mutex::new(VecDeque::from(cases));
    let failed = Mutex::new(0);
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    std::thread::scope(|scope| {
        for _ in 0..parallel {
            scope.spawn(|| {
                while let Some(case) = next() {
                    let (fine, line) = judge(&case, run_one(&case).as_ref().err());
                    println!("{line}");
                    *failed.lock().unwrap_or_else(PoisonError::into_inner) += usize::from(!fine);
                }
            });
        }
    });
    std::panic::set_hook(usual);
    failed.into_inner().unwrap_or_else(PoisonError::into_inner)
}

thread_local! {
    /// What the last panic of this thread said, and where it was.
    static LAST_PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

fn run_one(case: &Case<'_>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::of("cannot start a runtime", &error))?;
    catch_unwind(AssertUnwindSafe(|| (case.run)(&runtime))).map_err(|_| Failure::new(LAST_PANIC.take()))
}

/// Whether a case ended as it should, and what is to be said.
fn judge(case: &Case<'_>, failure: Option<&Failure>) -> (bool, String) {
    let name = &case.name;
    match (case.deviation, failure) {
        (None, None) => (true, format!("{name} ... ok")),
        (Some(known), Some(failure)) if failure.to_string().contains(known.says) => {
            (true, format!("{name} ... deviates, as expected: {}", known.why))
        }
        (_, Some(failure)) => (false, format!("{name} ... FAILED: {failure}")),
        (Some(known), None) => (false, format!("{name} ... FAILED: it passes, and is listed as a deviation: {}", known.why)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(deviation: Option<&'static Deviation>, failure: Option<&str>) -> bool {
        let case = Case { name: "server: case".into(), deviation, run: Box::new(|_| ()) };
        judge(&case, failure.map(Failure::new).as_ref()).0
    }

    #[test]
    fn a_case_fails_unless_it_ends_as_it_is_listed() {
        let known = Some(&deviations::ALL[0]);
        assert!(ended(None, None) && ended(known, Some(&format!("assertion failed\n {}", deviations::ALL[0].says))));
        assert!(!ended(None, Some("assertion failed")), "an unknown deviation");
        assert!(!ended(known, Some("create the stream: dispatch failure")), "another failure");
        assert!(!ended(known, None), "a deviation that is gone");
    }

    #[test]
    fn a_panic_of_a_case_is_its_failure() {
        let case = Case { name: "server: case".into(), deviation: None, run: Box::new(|_| panic!("no")) };
        assert!(run_one(&case).is_err());
        let case = Case { name: "server: case".into(), deviation: None, run: Box::new(|_| ()) };
        assert!(run_one(&case).is_ok());
    }

    #[test]
    fn every_listed_deviation_is_a_case() {
        let cases = dynamodb::cases("http://nowhere").into_iter().chain(kinesis::cases("http://nowhere"));
        assert_eq!(cases.filter(|case| case.deviation.is_some()).count(), deviations::ALL.len());
    }
}
