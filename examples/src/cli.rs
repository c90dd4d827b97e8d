//! The command line that the consumers have in common.
//!
//! Each setting can come from a flag or from the environment; the flag wins. `AWS_REGION` and `AWS_PROFILE` are read by
//! `aws_config`, `RUST_LOG` by [`logging`](crate::logging).

use clap::Args;
use clap::error::ErrorKind;
use kcl::{EnvironmentConfig, EnvironmentError};

/// What every consumer of a real stream must be told.
#[derive(Args, Clone, Debug)]
pub struct ConsumerArgs {
    /// The stream to consume: its name or its ARN.
    #[arg(long, value_name = "NAME")]
    pub stream_name: String,
    /// The lease table. It names the application: consumers with the same table share the stream. Made if it is missing.
    #[arg(long, value_name = "NAME")]
    pub table_name: String,
    /// How leases are taken and records are read, and what is logged.
    #[command(flatten)]
    pub settings: SettingsArgs,
}

/// How leases are taken and records are read, and what is logged.
#[derive(Args, Clone, Debug, Default)]
pub struct SettingsArgs {
    /// The most leases taken from other live workers in one round [env: KINESIS_LEASES_TO_ACQUIRE] [default: 1].
    #[arg(long, value_name = "NUMBER")]
    pub leases_to_acquire: Option<String>,
    /// The most leases this worker holds [env: KINESIS_MAX_LEASES] [default: unlimited].
    #[arg(long, value_name = "NUMBER")]
    pub max_leases: Option<String>,
    /// Where shards without a checkpoint begin: LATEST, OLDEST or TIMESTAMP:MILLIS (Unix milliseconds)
    /// [env: KINESIS_START_STRATEGY] [default: LATEST].
    #[arg(long, value_name = "WHERE")]
    pub start_strategy: Option<String>,
    /// The most records one read returns, 1 to 10000 [env: KINESIS_BATCH_LIMIT] [default: 10000].
    #[arg(long, value_name = "NUMBER")]
    pub batch_limit: Option<String>,
    /// Log one JSON object a line.
    #[arg(long)]
    pub log_json: bool,
}

impl SettingsArgs {
    /// The settings: flags before the environment before the defaults.
    ///
    /// # Errors
    /// For the first value that is not accepted; it names the flag or variable and what is accepted. `exit()` of the
    /// error prints it and ends the process with code 2, like any other mistake on the command line.
    pub fn read(&self) -> Result<EnvironmentConfig, clap::Error> {
        self.read_with(|variable| std::env::var_os(variable).map(|value| value.to_string_lossy().into_owned()))
    }

    /// The settings, with `environment` in place of that of the process.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub fn read_with(&self, environment: impl Fn(&str) -> Option<String>) -> Result<EnvironmentConfig, clap::Error> {
        let lookup = |variable: &str| self.flag(variable).and_then(|(_, value)| value).or_else(|| environment(variable));
        EnvironmentConfig::read_from(lookup).map_err(|error| self.misuse(&error))
    }

    /// The flag that stands for a variable, and its value if it was given.
    fn flag(&self, variable: &str) -> Option<(&'static str, Option<String>)> {
        let (flag, value) = match variable {
            "KINESIS_LEASES_TO_ACQUIRE" => ("--leases-to-acquire", &self.leases_to_acquire),
            "KINESIS_MAX_LEASES" => ("--max-leases", &self.max_leases),
            "KINESIS_START_STRATEGY" => ("--start-strategy", &self.start_strategy),
            "KINESIS_BATCH_LIMIT" => ("--batch-limit", &self.batch_limit),
            _ => return None,
        };
        Some((flag, value.clone()))
    }

    fn misuse(&self, error: &EnvironmentError) -> clap::Error {
        let message = match self.flag(error.variable) {
            Some((flag, Some(_))) => format!("{flag} must be {}: value={:?}\n", error.accepted, error.value),
            _ => format!("{error}\n"),
        };
        clap::Error::raw(ErrorKind::ValueValidation, message)
    }
}

#[cfg(test)]
mod tests {
    use kcl::{LeaseConfig, ManagementConfig, StartStrategy};

    use super::*;

    #[test]
    fn a_flag_wins_over_the_environment_and_that_over_the_default() {
        let settings = SettingsArgs { max_leases: Some("7".to_owned()), ..SettingsArgs::default() };
        let environment = |variable: &str| match variable {
            "KINESIS_MAX_LEASES" => Some("not even a number".to_owned()),
            "KINESIS_BATCH_LIMIT" => Some("250".to_owned()),
            _ => None,
        };
        let read = settings.read_with(environment).unwrap();
        assert_eq!(read.management, ManagementConfig { max_leases: 7, ..ManagementConfig::default() });
        assert_eq!(read.management.start_strategy, StartStrategy::Latest);
        assert_eq!(read.lease, LeaseConfig::PollingConfig { limit: 250 });
    }

    #[test]
    fn a_mistake_names_where_it_was_made_and_what_is_accepted() {
        let settings = SettingsArgs { start_strategy: Some("NEWEST".to_owned()), ..SettingsArgs::default() };
        let error = settings.read_with(|_| None).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        let text = error.to_string();
        assert!(text.contains("--start-strategy") && text.contains("OLDEST") && text.contains("NEWEST"), "{text}");

        let environment = |variable: &str| (variable == "KINESIS_BATCH_LIMIT").then(|| "0".to_owned());
        let text = SettingsArgs::default().read_with(environment).unwrap_err().to_string();
        assert!(text.contains("KINESIS_BATCH_LIMIT") && text.contains("1 to 10000") && !text.contains("--"), "{text}");
    }
}
