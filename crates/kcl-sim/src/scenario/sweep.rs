use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

/// Seeds that run on all cores, each on a thread of its own, so that nothing of the thread before is left.
#[derive(Debug)]
pub struct Sweep<T> {
    results: Receiver<T>,
    stopped: Arc<AtomicBool>,
}

impl<T: Send + 'static> Sweep<T> {
    /// Starts running. Results come in any order.
    #[allow(clippy::disallowed_methods, reason = "runs whole simulations beside each other; nothing of the library runs here")]
    pub fn start(
        seeds: impl IntoIterator<Item = u64, IntoIter: Send + 'static>,
        run: impl Fn(u64) -> T + Send + Sync + 'static,
    ) -> Self {
        let (results, stopped) = (sync_channel(8), Arc::new(AtomicBool::new(false)));
        let (run, seeds) = (Arc::new(run), Arc::new(Mutex::new(seeds.into_iter())));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..cores {
            let (run, seeds, stopped, results) = (Arc::clone(&run), Arc::clone(&seeds), Arc::clone(&stopped), results.0.clone());
            std::thread::spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    let Some(seed) = seeds.lock().unwrap_or_else(PoisonError::into_inner).next() else { return };
                    let run = Arc::clone(&run);
                    let thread = std::thread::Builder::new().name(format!("seed {seed:x}")).spawn(move || run(seed));
                    // A panic of the simulator itself must not pass for a clean run.
                    let Ok(Ok(result)) = thread.map(std::thread::JoinHandle::join) else { std::process::abort() };
                    if results.send(result).is_err() {
                        return;
                    }
                }
            });
        }
        Self { results: results.1, stopped }
    }

    /// Lets what runs come to its end, and starts no more.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

impl<'a, T> IntoIterator for &'a Sweep<T> {
    type Item = T;
    type IntoIter = std::sync::mpsc::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.results.iter()
    }
}
