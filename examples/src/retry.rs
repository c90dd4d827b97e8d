//! When to try again, and when to give up.

use std::time::Duration;

/// A bounded number of tries with waits that double.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The most tries, the first one included; at least 1.
    pub tries: u32,
    /// The wait after the first failure.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
}

impl RetryPolicy {
    /// How long to wait after this many failures, or `None` to give up.
    pub fn wait_after(&self, failures: u32) -> Option<Duration> {
        if failures >= self.tries {
            return None;
        }
        let factor = 2_u32.saturating_pow(failures.saturating_sub(1));
        Some(self.first.saturating_mul(factor).min(self.longest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy = RetryPolicy { tries: 5, first: Duration::from_millis(100), longest: Duration::from_millis(500) };

    #[test]
    fn waits_double_up_to_the_longest_and_then_it_gives_up() {
        let waits: Vec<Option<u128>> = (1..=6).map(|failures| POLICY.wait_after(failures).map(|wait| wait.as_millis())).collect();
        assert_eq!(waits, [Some(100), Some(200), Some(400), Some(500), None, None]);
    }

    #[test]
    fn one_try_is_never_repeated_and_large_numbers_do_not_overflow() {
        assert_eq!(RetryPolicy { tries: 1, ..POLICY }.wait_after(1), None);
        assert_eq!(RetryPolicy { tries: u32::MAX, ..POLICY }.wait_after(u32::MAX - 1), Some(POLICY.longest));
    }
}
