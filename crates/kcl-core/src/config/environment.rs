use crate::{LeaseConfig, ManagementConfig, StartStrategy};

/// What the environment says about a consumer. Variables that are not set leave the default.
///
/// | variable | accepted | sets |
/// |---|---|---|
/// | `KINESIS_LEASES_TO_ACQUIRE` | a whole number from 1 | [`ManagementConfig::leases_to_acquire`] |
/// | `KINESIS_MAX_LEASES` | a whole number from 1 | [`ManagementConfig::max_leases`] |
/// | `KINESIS_START_STRATEGY` | `LATEST`, `OLDEST` or `TIMESTAMP:<Unix milliseconds>` | [`ManagementConfig::start_strategy`] |
/// | `KINESIS_BATCH_LIMIT` | 1 to 10000 | the limit of [`LeaseConfig::PollingConfig`] |
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EnvironmentConfig {
    /// How many leases, and where to begin.
    pub management: ManagementConfig,
    /// How to read.
    pub lease: LeaseConfig,
}

/// A variable with a value that is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("environment variable {variable} must be {accepted}: value={value:?}")]
pub struct EnvironmentError {
    /// The variable's name.
    pub variable: &'static str,
    /// What it says, at most 100 characters of it.
    pub value: String,
    /// What it may say.
    pub accepted: &'static str,
}

impl EnvironmentConfig {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// For the first variable with a value that is not accepted. Text that is not Unicode is not accepted.
    pub fn read() -> Result<Self, EnvironmentError> {
        Self::read_from(|variable| std::env::var_os(variable).map(|value| value.to_string_lossy().into_owned()))
    }

    /// Reads variables from `lookup` instead of the process's environment.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub fn read_from(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, EnvironmentError> {
        let mut config = Self::default();
        let at_least_one = |text: &str| text.parse().ok().filter(|number: &usize| *number >= 1);
        const FROM_ONE: &str = "a whole number from 1";
        let read = Variables { lookup: &lookup };
        if let Some(number) = read.value("KINESIS_LEASES_TO_ACQUIRE", FROM_ONE, at_least_one)? {
            config.management.leases_to_acquire = number;
        }
        if let Some(number) = read.value("KINESIS_MAX_LEASES", FROM_ONE, at_least_one)? {
            config.management.max_leases = number;
        }
        if let Some(start) =
            read.value("KINESIS_START_STRATEGY", "LATEST, OLDEST or TIMESTAMP:<Unix milliseconds>", parse_start)?
        {
            config.management.start_strategy = start;
        }
        let in_limit = |text: &str| text.parse().ok().filter(|limit: &u32| (1..=10_000).contains(limit));
        if let Some(limit) = read.value("KINESIS_BATCH_LIMIT", "a whole number from 1 to 10000", in_limit)? {
            config.lease = LeaseConfig::PollingConfig { limit };
        }
        Ok(config)
    }
}

struct Variables<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
}

impl Variables<'_> {
    fn value<T>(
        &self,
        variable: &'static str,
        accepted: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, EnvironmentError> {
        let Some(value) = (self.lookup)(variable) else { return Ok(None) };
        match parse(value.trim()) {
            Some(parsed) => Ok(Some(parsed)),
            None => Err(EnvironmentError { variable, value: value.chars().take(100).collect(), accepted }),
        }
    }
}

fn parse_start(text: &str) -> Option<StartStrategy> {
    match text.split_once(':') {
        None if text.eq_ignore_ascii_case("LATEST") => Some(StartStrategy::Latest),
        None if text.eq_ignore_ascii_case("OLDEST") => Some(StartStrategy::Oldest),
        Some((word, millis)) if word.eq_ignore_ascii_case("TIMESTAMP") => {
            millis.parse().ok().filter(|millis| *millis >= 0).map(StartStrategy::Timestamp)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<EnvironmentConfig, EnvironmentError> {
        EnvironmentConfig::read_from(|name| {
            variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn defaults_and_values() {
        assert_eq!(read(&[]), Ok(EnvironmentConfig::default()));
        let config = read(&[
            ("KINESIS_LEASES_TO_ACQUIRE", "2"),
            ("KINESIS_MAX_LEASES", " 20 "),
            ("KINESIS_START_STRATEGY", "TIMESTAMP:1700000000000"),
            ("KINESIS_BATCH_LIMIT", "1000"),
        ])
        .unwrap();
        let start_strategy = StartStrategy::Timestamp(1_700_000_000_000);
        assert_eq!(config.management, ManagementConfig { leases_to_acquire: 2, max_leases: 20, start_strategy });
        assert_eq!(config.lease, LeaseConfig::PollingConfig { limit: 1000 });
        assert_eq!(read(&[("KINESIS_START_STRATEGY", "oldest")]).unwrap().management.start_strategy, StartStrategy::Oldest);
    }

    #[test]
    fn what_is_not_accepted_is_named() {
        let cases = [
            ("KINESIS_LEASES_TO_ACQUIRE", "0"),
            ("KINESIS_LEASES_TO_ACQUIRE", "many"),
            ("KINESIS_MAX_LEASES", "-1"),
            ("KINESIS_MAX_LEASES", ""),
            ("KINESIS_START_STRATEGY", "NEWEST"),
            ("KINESIS_START_STRATEGY", "TIMESTAMP"),
            ("KINESIS_START_STRATEGY", "TIMESTAMP:soon"),
            ("KINESIS_START_STRATEGY", "TIMESTAMP:-5"),
            ("KINESIS_BATCH_LIMIT", "0"),
            ("KINESIS_BATCH_LIMIT", "10001"),
        ];
        for (variable, value) in cases {
            let error = read(&[(variable, value)]).unwrap_err();
            assert_eq!(error.variable, variable, "{value:?}");
            assert!(error.to_string().contains(error.accepted), "{error}");
        }
    }
}
