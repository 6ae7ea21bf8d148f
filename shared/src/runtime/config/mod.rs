//! Settings, read once at start: environment variables and flags of the same meaning.
//!
//! Each program has one struct of settings, made of the concerns below. Values become domain types here, at the edge; a bad
//! one is a single line that names the variable, the value and what it takes.

mod clamped;
mod explain;
mod log_filter;
mod model;
mod names;

use std::convert::Infallible;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::contract::keys::Keys;
pub use crate::redis::RedisUrl;

pub use self::clamped::ClampedNumber;
pub use self::explain::{Refused, fail, parse};
use self::log_filter::log_filter;
pub use self::model::ModelSettings;
pub use self::names::{VARIABLES, warn_of_unknown};

/// What both programs must agree on to find each other's entries.
#[derive(Debug, Clone, Args)]
pub struct StoreSettings {
    /// Redis for jobs, forms and records: redis://, rediss:// or unix://, redis-sentinel:// or redis-cluster://, with user and
    /// password if it has any.
    #[arg(
        long,
        env = "HEADROOM_REDIS_URL",
        value_name = "HEADROOM_REDIS_URL",
        hide_env_values = true
    )]
    pub redis_url: Option<RedisUrl>,

    /// First part of every Redis key.
    #[arg(long, env = "HEADROOM_NAMESPACE", value_name = "HEADROOM_NAMESPACE", default_value = "headroom", value_parser = namespace)]
    pub namespace: String,

    /// Life of forms and sent records since their last use, in hours.
    #[arg(long, env = "HEADROOM_RETENTION_HOURS", value_name = "HEADROOM_RETENTION_HOURS", default_value_t = 168, value_parser = retention_hours)]
    pub retention_hours: u32,
}

impl StoreSettings {
    /// [`Self::retention_hours`] as a time.
    #[must_use]
    pub fn retention(&self) -> Duration {
        Duration::from_secs(u64::from(self.retention_hours) * 3600)
    }

    /// The names of the deployment's keys.
    #[must_use]
    pub fn keys(&self) -> Keys {
        match &self.redis_url {
            Some(url) if url.is_cluster() => Keys::in_one_slot(&self.namespace),
            _ => Keys::new(&self.namespace),
        }
    }
}

/// How a program says what it does.
#[derive(Debug, Clone, Args)]
pub struct LogSettings {
    /// What is logged: a tracing filter, such as info or `headroom_proxy=debug`.
    #[arg(long = "log", env = "HEADROOM_LOG", value_name = "HEADROOM_LOG", default_value = "info", value_parser = log_filter)]
    pub filter: String,

    /// How it is logged.
    #[arg(
        long = "log-format",
        env = "HEADROOM_LOG_FORMAT",
        value_name = "HEADROOM_LOG_FORMAT",
        default_value = "pretty"
    )]
    pub format: LogFormat,
}

/// A log line's shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// How many jobs a process works on at once.
#[derive(Debug, Clone, Args)]
pub struct WorkerSettings {
    /// Threads that compress, one job each. Not a number, or below 1: 1.
    #[arg(
        long = "background-compression-workers",
        env = "HEADROOM_BACKGROUND_COMPRESSION_WORKERS",
        value_name = "HEADROOM_BACKGROUND_COMPRESSION_WORKERS",
        default_value = "1",
        allow_hyphen_values = true
    )]
    pub threads: Threads,

    /// How long a job may take, in seconds; one that takes longer is stopped, tried once more alone, then buried.
    #[arg(long, env = "HEADROOM_JOB_TIMEOUT_SECONDS", value_name = "HEADROOM_JOB_TIMEOUT_SECONDS", default_value_t = 300, value_parser = job_timeout)]
    pub job_timeout_seconds: u64,

    /// What may leave words out of texts.
    #[command(flatten)]
    pub model: ModelSettings,
}

impl WorkerSettings {
    /// Logs what to warn of.
    pub fn warn(&self) {
        let cores = std::thread::available_parallelism();
        let cores = cores.map_or(usize::MAX, std::num::NonZero::get);
        if let Some(warning) = self.threads.warning(cores) {
            tracing::warn!("{warning}");
        }
    }

    /// [`Self::job_timeout_seconds`] as a time.
    #[must_use]
    pub const fn job_timeout(&self) -> Duration {
        Duration::from_secs(self.job_timeout_seconds)
    }
}

/// A number of worker threads: at least 1, at most [`Threads::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threads(ClampedNumber);

impl Threads {
    /// More threads than any machine can use; a larger number is clamped to it.
    pub const MAX: u64 = 1024;

    /// The number.
    #[must_use]
    pub fn get(self) -> usize {
        usize::try_from(self.0.get()).unwrap_or(1)
    }

    /// What to warn of: that it is another number than was asked for, or more than this machine has cores.
    #[must_use]
    pub fn warning(self, cores: usize) -> Option<String> {
        let (name, count) = ("HEADROOM_BACKGROUND_COMPRESSION_WORKERS", self.get());
        let too_many = || {
            (count > cores).then(|| {
                format!("{name} is {count}, and this machine has {cores} cores: more threads than cores make no job faster, and each takes memory")
            })
        };
        let takes = format!("1 to {}", Self::MAX);
        self.0.warning(name, &takes).or_else(too_many)
    }
}

impl FromStr for Threads {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(ClampedNumber::read(text, 1, &(1..=Self::MAX))))
    }
}

impl std::fmt::Display for Threads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.get().fmt(f)
    }
}

/// Reads a switch, in any case; nothing is on.
///
/// # Errors
/// When it is neither on nor off.
pub fn switch(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "0" | "false" | "no" | "off" => Ok(false),
        "" | "1" | "true" | "yes" | "on" => Ok(true),
        _ => Err("takes 1, true, yes or on, or 0, false, no or off".to_owned()),
    }
}

fn namespace(text: &str) -> Result<String, String> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    if !text.is_empty() && text.len() <= 64 && text.chars().all(good) {
        return Ok(text.to_owned());
    }
    Err("takes 1 to 64 letters, digits, '-', '_', '.' or ':'".to_owned())
}

fn retention_hours(text: &str) -> Result<u32, String> {
    match text.trim().parse() {
        Ok(hours @ 1..=87_600) => Ok(hours),
        _ => Err("takes whole hours, 1 to 87600".to_owned()),
    }
}

fn job_timeout(text: &str) -> Result<u64, String> {
    match text.trim().parse() {
        Ok(seconds @ 1..=86_400) => Ok(seconds),
        _ => Err("takes whole seconds, 1 to 86400".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_at_least_one() {
        for (text, threads) in [
            ("3", 3),
            ("0", 1),
            ("-4", 1),
            ("notanint", 1),
            ("", 1),
            (" 2 ", 2),
            ("99999999999999999999", 1024),
        ] {
            assert_eq!(text.parse::<Threads>().unwrap().get(), threads, "{text:?}");
        }
    }

    #[test]
    fn another_number_of_threads_than_was_asked_for_is_told() {
        for (text, cores, told) in [
            ("2", 2, None),
            (
                "100000",
                2000,
                Some("is 100000, and takes 1 to 1024: 1024 is used"),
            ),
            ("0", 2, Some("is 0, and takes 1 to 1024: 1 is used")),
            ("many", 2, Some("is not a number: 1 is used")),
            ("3", 2, Some("is 3, and this machine has 2 cores")),
        ] {
            let warning = text.parse::<Threads>().unwrap().warning(cores);
            assert_eq!(warning.is_some(), told.is_some(), "{warning:?}");
            assert!(
                told.is_none_or(|told| warning.unwrap().contains(told)),
                "{text}"
            );
        }
    }

    #[test]
    fn a_switch_is_off_by_four_words() {
        for off in ["0", "false", "No", "OFF", " off "] {
            assert!(!switch(off).unwrap(), "{off:?}");
        }
        for on in ["1", "true", "", "yes", "on"] {
            assert!(switch(on).unwrap(), "{on:?}");
        }
        for neither in ["of", "flase", "2"] {
            assert!(switch(neither).is_err(), "{neither:?}");
        }
    }
}
