//! The proxy's settings: flags and environment variables of the same meaning.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr as _;
use std::time::Duration;

use anyhow::Context as _;
use bytesize::ByteSize;
use clap::Parser;
use headroom_shared::contract::tier::Tier;
use headroom_shared::runtime::config::{
    ClampedNumber, LogSettings, Refused, StoreSettings, WorkerSettings, parse, switch,
};

pub(crate) use crate::upstream::config::Upstreams;

use crate::commands::Command;
use crate::http::websocket::mode::WebSocketMode;
use crate::plan::Planner;
use crate::prices::Prices;
use crate::running::reachable;
use crate::separation::is_loopback;
use sysinfo::System;
use url::Url;

use crate::upstream::proxies::Proxies;

/// Stands between a coding agent and its LLM provider and sends less.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "headroom-proxy",
    version,
    args_conflicts_with_subcommands = true
)]
pub struct Settings {
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Address to listen on.
    #[arg(long, env = "HEADROOM_HOST", value_name = "HEADROOM_HOST", default_value = "127.0.0.1", value_parser = host)]
    pub host: String,

    /// Port to listen on; 0 takes any free one.
    #[arg(long, env = "HEADROOM_PORT", value_name = "HEADROOM_PORT", default_value = "8787", value_parser = port)]
    pub port: u16,

    /// Host names, separated by commas, under which this listener is known besides loopback names and its address: for /stats and
    /// /metrics, and for web pages that may post here [default: none].
    #[arg(
        long,
        env = "HEADROOM_ALLOWED_HOSTS",
        value_name = "HEADROOM_ALLOWED_HOSTS",
        value_delimiter = ','
    )]
    pub allowed_hosts: Vec<String>,

    #[command(flatten)]
    pub store: StoreSettings,

    #[command(flatten)]
    pub limits: Limits,

    #[command(flatten)]
    pub background: Background,

    #[command(flatten)]
    pub upstreams: Upstreams,

    /// What to do with a WebSocket on which a client asks, as Codex does: compress the requests on it, relay it byte for byte, or refuse
    /// it, so that the client uses HTTP.
    #[arg(long, env = "HEADROOM_WEBSOCKET", value_name = "HEADROOM_WEBSOCKET", default_value = "compress", value_parser = WebSocketMode::from_str)]
    pub websocket: WebSocketMode,

    /// File with what models cost, in place of the rows that are built in or besides them: a .toml file, or a .json file as litellm
    /// publishes it [default: none].
    #[arg(long, env = "HEADROOM_PRICES", value_name = "HEADROOM_PRICES")]
    pub prices: Option<PathBuf>,

    /// Let the page show the texts of the last conversations, as they came and as they went out, to everyone who can reach the listener;
    /// on or off.
    #[arg(long, env = "HEADROOM_SHOW_TEXT", value_name = "HEADROOM_SHOW_TEXT", default_value = "off", value_parser = switch, action = clap::ArgAction::Set)]
    pub show_text: bool,

    #[command(flatten)]
    pub log: LogSettings,
}

/// Where things are kept, and how much a request may take.
#[derive(Debug, Clone, clap::Args)]
pub struct Limits {
    /// Folder of the embedded store's file [default: the platform's folder for user data].
    #[arg(long, env = "HEADROOM_DATA_DIR", value_name = "HEADROOM_DATA_DIR")]
    pub data_dir: Option<PathBuf>,

    /// How large the embedded store's file may become, such as 512MiB; then the entries that were used longest ago are deleted.
    #[arg(long, env = "HEADROOM_MAX_STORE_BYTES", value_name = "HEADROOM_MAX_STORE_BYTES", default_value = "2GiB", value_parser = store_bytes)]
    pub max_store_bytes: ByteSize,

    /// Header whose value separates tenants [default: none; where the listener is not on loopback, API keys and accounts are separated].
    #[arg(long, env = "HEADROOM_TENANT_HEADER", value_name = "HEADROOM_TENANT_HEADER", value_parser = header)]
    pub tenant_header: Option<http::HeaderName>,

    /// Let all API keys and accounts meet the same records, although others can reach the listener; on or off. On loopback they always
    /// do.
    #[arg(long, env = "HEADROOM_SHARED_RECORDS", value_name = "HEADROOM_SHARED_RECORDS", default_value = "off", value_parser = switch, action = clap::ArgAction::Set)]
    pub shared_records: bool,

    /// Largest request body, in bytes; above it 413.
    #[arg(long, env = "HEADROOM_MAX_BODY_BYTES", value_name = "HEADROOM_MAX_BODY_BYTES", default_value_t = 64 << 20, value_parser = number::<usize>)]
    pub max_body_bytes: usize,

    /// How long a request's body may make no progress, in seconds; after that 408.
    #[arg(long, env = "HEADROOM_BODY_TIMEOUT_SECONDS", value_name = "HEADROOM_BODY_TIMEOUT_SECONDS", default_value_t = 30, value_parser = seconds)]
    pub body_timeout_seconds: u32,

    /// Memory that the bodies of all requests may take together, with what is made of them, such as 512MiB; past it requests go out
    /// unread [default: a quarter of the machine's or the container's].
    #[arg(long, env = "HEADROOM_MAX_MEMORY", value_name = "HEADROOM_MAX_MEMORY", value_parser = memory)]
    pub max_memory: Option<ByteSize>,

    /// How long a request may wait for the store, in milliseconds.
    #[arg(long, env = "HEADROOM_STORE_BUDGET_MS", value_name = "HEADROOM_STORE_BUDGET_MS", default_value_t = 20, value_parser = number::<u64>)]
    pub store_budget_ms: u64,

    /// The same where the model's thinking is bound to what was sent, so that a wrong form breaks the session: how long such a
    /// request may wait for what the store knows of it, in milliseconds.
    #[arg(long, env = "HEADROOM_BOUND_STORE_BUDGET_MS", value_name = "HEADROOM_BOUND_STORE_BUDGET_MS", default_value_t = 2000, value_parser = number::<u64>)]
    pub bound_store_budget_ms: u64,

    /// How long requests that are on their way may take to end after a signal to stop, in seconds; 0: not at all.
    #[arg(long, env = "HEADROOM_DRAIN_SECONDS", value_name = "HEADROOM_DRAIN_SECONDS", default_value_t = 60, value_parser = drain_seconds)]
    pub drain_seconds: u32,

    /// How long a request may wait for its new blocks to be compressed before it goes out, in milliseconds; much new text has more, up
    /// to 150; 0 is not at all.
    #[arg(long, env = "HEADROOM_ENTRY_BUDGET_MS", value_name = "HEADROOM_ENTRY_BUDGET_MS", default_value_t = 20, value_parser = number::<u64>)]
    pub entry_budget_ms: u64,
}

/// What is compressed in the background, and by whom.
#[derive(Debug, Clone, clap::Args)]
pub struct Background {
    /// Compress at all; 0, false, no or off: forward only.
    #[arg(long = "background-compression", env = "HEADROOM_BACKGROUND_COMPRESSION", value_name = "HEADROOM_BACKGROUND_COMPRESSION", default_value = "on", value_parser = switch, action = clap::ArgAction::Set)]
    pub on: bool,

    /// Smallest cold start that is deferred to a worker, in tokens of its messages. Not a number: 50000.
    #[arg(
        long = "background-compression-min-tokens",
        env = "HEADROOM_BACKGROUND_COMPRESSION_MIN_TOKENS",
        value_name = "HEADROOM_BACKGROUND_COMPRESSION_MIN_TOKENS",
        default_value = "50000",
        allow_hyphen_values = true
    )]
    pub min_tokens: MinTokens,

    /// What compressed texts may leave out: lossless: nothing; recoverable: lines that the agent can fetch again, where its requests offer
    /// the model the tool for that.
    #[arg(
        long,
        env = "HEADROOM_TIER",
        value_name = "HEADROOM_TIER",
        default_value = "lossless"
    )]
    pub tier: Tier,

    /// By how many tokens of its messages a conversation must have grown since its last result before a worker compresses anew what there
    /// was no time for, or what was sent before the proxy was there; 0: never.
    #[arg(long, env = "HEADROOM_REFRESH_TOKENS", value_name = "HEADROOM_REFRESH_TOKENS", default_value_t = Planner::DEFAULT_REFRESH_TOKENS, value_parser = number::<u64>)]
    pub refresh_tokens: u64,

    /// A new text of more tokens out of which only the workers' model can leave something goes to them as a job of its own, where it may;
    /// 0: none does.
    #[arg(long, env = "HEADROOM_TAIL_TOKENS", value_name = "HEADROOM_TAIL_TOKENS", default_value_t = Planner::DEFAULT_TAIL_TOKENS, value_parser = number::<u64>)]
    pub tail_tokens: u64,

    /// Jobs that may wait, and refreshes that may wait beside them; above it a job is dropped and counted.
    #[arg(long = "background-compression-max-queue", env = "HEADROOM_BACKGROUND_COMPRESSION_MAX_QUEUE", value_name = "HEADROOM_BACKGROUND_COMPRESSION_MAX_QUEUE", default_value_t = 256, value_parser = number::<u64>)]
    pub max_queue: u64,

    /// How long a request with large blocks that the provider has certainly not cached may wait for the workers, in milliseconds; what they
    /// have compressed by then goes out so, the rest as it came; 0: not at all.
    #[arg(long, env = "HEADROOM_FLEET_WAIT_MS", value_name = "HEADROOM_FLEET_WAIT_MS", default_value_t = 0, value_parser = fleet_wait)]
    pub fleet_wait_ms: u32,

    #[command(flatten)]
    pub workers: WorkerSettings,
}

impl Background {
    /// [`Self::fleet_wait_ms`] as a time.
    pub(crate) const fn fleet_wait(&self) -> Duration {
        Duration::from_millis(self.fleet_wait_ms as u64)
    }
}

/// A number of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MinTokens(ClampedNumber);

impl MinTokens {
    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0.get()
    }

    /// That it is another number than was asked for.
    fn warning(self) -> Option<String> {
        let name = "HEADROOM_BACKGROUND_COMPRESSION_MIN_TOKENS";
        self.0.warning(name, "0 or more")
    }
}

impl std::str::FromStr for MinTokens {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let range = 0..=u64::MAX;
        Ok(Self(ClampedNumber::read(
            text,
            Planner::DEFAULT_MIN_TOKENS,
            &range,
        )))
    }
}

/// Less memory than this is enough for no request.
const MIN_MEMORY: ByteSize = ByteSize::mib(4);
/// A smaller store has no room for the forms of a few sessions.
const MIN_STORE: ByteSize = ByteSize::mib(16);

impl Settings {
    /// Reads flags and environment; `variable` gives the value of a variable that has no flag.
    ///
    /// # Errors
    /// When help or version was asked for, or when a setting is bad.
    pub fn read(
        args: impl IntoIterator<Item = impl Into<OsString> + Clone>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Refused> {
        let mut settings: Self = parse(args)?;
        settings.upstreams.proxies = Proxies::read(variable);
        Ok(settings)
    }

    /// The base URL by which this machine reaches a proxy that listens as set.
    ///
    /// # Errors
    /// When the host is none that can stand in a URL.
    pub(crate) fn url(&self) -> anyhow::Result<Url> {
        let address = match self.host.parse() {
            Ok(ip) => reachable(SocketAddr::new(ip, self.port)).to_string(),
            Err(_) => format!("{}:{}", self.host, self.port),
        };
        let url = format!("http://{address}/");
        url.parse()
            .with_context(|| format!("{url} (HEADROOM_HOST, HEADROOM_PORT)"))
    }

    /// What models cost: the table that is built in, with the rows of [`Self::prices`].
    ///
    /// # Errors
    /// When that file can't be taken.
    pub(crate) fn prices(&self) -> anyhow::Result<Prices> {
        let Some(file) = &self.prices else {
            return Ok(Prices::built_in());
        };
        Prices::with_file(file).context("HEADROOM_PRICES (or --prices)")
    }

    /// Logs what to warn of.
    pub(crate) fn warn(&self) {
        self.background.workers.warn();
        if let Some(warning) = self.background.min_tokens.warning() {
            tracing::warn!("{warning}");
        }
        if self.show_text && !is_loopback(&self.host) {
            tracing::warn!(
                host = self.host,
                "HEADROOM_SHOW_TEXT is on: the page shows prompts to everyone who can reach this address"
            );
        }
    }
}

impl Limits {
    /// The folder of the embedded store: [`Self::data_dir`], or the platform's for user data.
    ///
    /// # Errors
    /// When none is set and this user has no home folder.
    pub(crate) fn data_folder(&self) -> anyhow::Result<PathBuf> {
        if let Some(dir) = &self.data_dir {
            return Ok(dir.clone());
        }
        let dirs = directories::ProjectDirs::from("", "", "headroom");
        let dirs = dirs.context(
            "this user has no home folder to keep data in: set HEADROOM_DATA_DIR to a folder",
        )?;
        Ok(dirs.data_dir().to_owned())
    }

    /// [`Self::body_timeout_seconds`] as a time.
    pub(crate) const fn body_timeout(&self) -> Duration {
        Duration::from_secs(self.body_timeout_seconds as u64)
    }

    /// [`Self::drain_seconds`] as a time.
    pub(crate) const fn drain_time(&self) -> Duration {
        Duration::from_secs(self.drain_seconds as u64)
    }

    /// [`Self::max_memory`] in bytes, or its default.
    pub(crate) fn max_memory(&self) -> usize {
        let bytes = self
            .max_memory
            .map_or_else(quarter_of_memory, |it| it.as_u64());
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    /// [`Self::store_budget_ms`] as a time.
    pub(crate) const fn store_budget(&self) -> Duration {
        Duration::from_millis(self.store_budget_ms)
    }

    /// [`Self::bound_store_budget_ms`] as a time.
    pub(crate) const fn bound_store_budget(&self) -> Duration {
        Duration::from_millis(self.bound_store_budget_ms)
    }

    /// [`Self::entry_budget_ms`] as a time.
    pub(crate) const fn entry_budget(&self) -> Duration {
        Duration::from_millis(self.entry_budget_ms)
    }
}

/// A quarter of the memory that this process may take: the container's, where it runs in one.
fn quarter_of_memory() -> u64 {
    let mut system = System::new();
    system.refresh_memory();
    let limit = system.cgroup_limits().map(|limits| limits.total_memory);
    limit.unwrap_or(u64::MAX).min(system.total_memory()) / 4
}

fn memory(text: &str) -> Result<ByteSize, String> {
    at_least(MIN_MEMORY, text)
        .ok_or_else(|| "takes a number of bytes such as 512MiB, from 4MiB on".to_owned())
}

fn store_bytes(text: &str) -> Result<ByteSize, String> {
    at_least(MIN_STORE, text)
        .ok_or_else(|| "takes a number of bytes such as 512MiB, from 16MiB on".to_owned())
}

fn at_least(least: ByteSize, text: &str) -> Option<ByteSize> {
    text.parse().ok().filter(|size| *size >= least)
}

fn host(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(char::is_whitespace) {
        return Err("takes an address or a host name, such as 127.0.0.1 or ::1".to_owned());
    }
    Ok(text.trim_matches(['[', ']']).to_owned())
}

fn port(text: &str) -> Result<u16, String> {
    text.parse()
        .map_err(|_| "takes a port number from 0 to 65535".to_owned())
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| "takes a whole number, 0 or more".to_owned())
}

fn seconds(text: &str) -> Result<u32, String> {
    let seconds = text.parse().ok().filter(|seconds| *seconds > 0);
    seconds.ok_or_else(|| "takes a whole number of seconds, 1 or more".to_owned())
}

/// Half a minute at most: clients wait not much longer for the beginning of a response.
fn fleet_wait(text: &str) -> Result<u32, String> {
    let ms = text.parse().ok().filter(|ms| *ms <= 30_000);
    ms.ok_or_else(|| "takes a whole number of milliseconds, 0 to 30000".to_owned())
}

fn drain_seconds(text: &str) -> Result<u32, String> {
    let seconds = text.parse().ok().filter(|seconds| *seconds <= 86_400);
    seconds.ok_or_else(|| "takes a whole number of seconds, 0 to 86400".to_owned())
}

fn header(text: &str) -> Result<http::HeaderName, String> {
    text.parse()
        .map_err(|_| "takes the name of a request header, such as x-tenant".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_the_contract_s() {
        let settings: Settings = parse(["headroom-proxy"]).unwrap();
        assert_eq!((settings.host.as_str(), settings.port), ("127.0.0.1", 8787));
        assert_eq!(settings.limits.max_body_bytes, 64 * 1024 * 1024);
        assert_eq!(settings.limits.body_timeout(), Duration::from_secs(30));
        assert_eq!(settings.limits.max_store_bytes, ByteSize::gib(2));
        assert_eq!(
            (settings.background.on, settings.background.min_tokens.get()),
            (true, 50_000)
        );
        assert_eq!(settings.background.max_queue, 256);
        assert_eq!(settings.background.fleet_wait(), Duration::ZERO);
        assert_eq!(
            settings.upstreams.anthropic.as_str(),
            "https://api.anthropic.com/"
        );
    }

    #[test]
    fn what_is_not_a_number_of_tokens_is_the_default() {
        for (text, tokens, told) in [
            ("7", 7, false),
            ("many", 50_000, true),
            ("", 50_000, true),
            ("-3", 0, true),
        ] {
            let taken: MinTokens = text.parse().unwrap();
            assert_eq!(
                (taken.get(), taken.warning().is_some()),
                (tokens, told),
                "{text:?}"
            );
        }
    }

    #[test]
    fn the_known_variables_are_those_of_both_programs() {
        use clap::CommandFactory as _;
        let (proxy, worker) = (Settings::command(), headroom_worker::Settings::command());
        let args = proxy.get_arguments().chain(worker.get_arguments());
        let read = args.filter_map(|arg| Some(arg.get_env()?.to_str()?.to_owned()));
        let mut read: Vec<String> = read.filter(|name| name.starts_with("HEADROOM_")).collect();
        // This project's own tests read it.
        read.push("HEADROOM_TEST_SEED".to_owned());
        read.sort();
        read.dedup();
        assert_eq!(read, headroom_shared::runtime::config::VARIABLES);
    }

    #[test]
    fn a_bad_setting_names_variable_value_and_what_it_takes() {
        for (flag, value, line) in [
            (
                "--port",
                "99999",
                "HEADROOM_PORT (or --port) is \"99999\": takes a port number from 0 to 65535",
            ),
            (
                "--openai-target-api-url",
                "https://user:secret@host/",
                "OPENAI_TARGET_API_URL (or --openai-target-api-url) is (not shown): takes a base URL, such as https://api.example.com",
            ),
            (
                "--anthropic-target-api-url",
                "nonsense",
                "ANTHROPIC_TARGET_API_URL (or --anthropic-target-api-url) is \"nonsense\": takes a base URL, such as https://api.example.com",
            ),
            (
                "--fleet-wait-ms",
                "30001",
                "HEADROOM_FLEET_WAIT_MS (or --fleet-wait-ms) is \"30001\": takes a whole number of milliseconds, 0 to 30000",
            ),
            (
                "--body-timeout-seconds",
                "0",
                "HEADROOM_BODY_TIMEOUT_SECONDS (or --body-timeout-seconds) is \"0\": takes a whole number of seconds, 1 or more",
            ),
            (
                "--websocket",
                "on",
                "HEADROOM_WEBSOCKET (or --websocket) is \"on\": takes compress, relay or refuse",
            ),
            (
                "--max-store-bytes",
                "1MiB",
                "HEADROOM_MAX_STORE_BYTES (or --max-store-bytes) is \"1MiB\": takes a number of bytes such as 512MiB, from 16MiB on",
            ),
            (
                "--allowed-upstreams",
                "https://x",
                "HEADROOM_ALLOWED_UPSTREAMS (or --allowed-upstreams) is \"https://x\": takes hosts or host:port, separated by commas, such as api.example.com,10.0.0.1:8080",
            ),
        ] {
            let refused = parse::<Settings>(["headroom-proxy", flag, value]).unwrap_err();
            assert_eq!(refused.line(), format!("error: {line}"));
        }
    }
}
