use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// How long a program may take to say something: far above what it needs.
const PATIENCE: Duration = Duration::from_secs(150);

/// What a program has written to its standard output until now. A handle: clones share it.
#[derive(Clone, Default)]
pub(crate) struct Output(Arc<(Mutex<Said>, Condvar)>);

#[derive(Default)]
struct Said {
    text: String,
    /// There is no more to come.
    ended: bool,
}

impl Output {
    /// Reads to the end, on a thread of its own.
    pub(super) fn of(pipe: impl Read + Send + 'static) -> Self {
        let output = Self::default();
        let written = output.clone();
        std::thread::spawn(move || {
            let mut lines = BufReader::new(pipe);
            let mut line = String::new();
            while lines.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
                written.change(|said| said.text.push_str(&line));
                line.clear();
            }
            written.change(|said| said.ended = true);
        });
        output
    }

    fn change(&self, change: impl FnOnce(&mut Said)) {
        let (said, changed) = &*self.0;
        change(&mut said.lock().unwrap_or_else(PoisonError::into_inner));
        changed.notify_all();
    }

    /// What there is now.
    pub(super) fn now(&self) -> String {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).text.clone()
    }

    /// Waits until the text is as wanted, or nothing more can come; whether it is.
    pub(super) fn wait_until(&self, wanted: impl Fn(&str) -> bool) -> bool {
        let (said, changed) = &*self.0;
        let said = said.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = changed.wait_timeout_while(said, PATIENCE, |said| !said.ended && !wanted(&said.text));
        wanted(&waited.unwrap_or_else(PoisonError::into_inner).0.text)
    }

    /// Waits until there is no more to come.
    pub(super) fn wait_for_end(&self) {
        self.wait_until(|_| false);
    }
}
