//! `headroom-proxy wrap`: runs a client through a proxy, which is started for it where none runs, and says what that cost.
//!
//! | file | what |
//! |---|---|
//! | `args` | the words of the command line |
//! | `environment` | variables and files of the user, read once |
//! | `claude`, `codex`, `other` | what each client is given, and where it would ask without us (pure) |
//! | `loopback` | keeps a corporate HTTP proxy out of the way to this machine (pure) |
//! | `upstreams` | whether a proxy sends where the client would ask (pure) |
//! | `find` | finds the proxy or starts one |
//! | `lease` | keeps a started proxy for as long as any `wrap` uses it |
//! | `serve` | the started proxy |
//! | `foreground` | runs the client: its terminal, signals and exit code |
//! | `summary` | the last line (pure) |
//!
//! The started proxy is a process of its own, in a process group of its own: Ctrl-C at the terminal reaches the client alone, and a proxy
//! that another `wrap` uses too outlives the one that started it.

mod args;
pub(crate) mod claude;
pub(crate) mod codex;
pub(crate) mod environment;
mod find;
mod foreground;
mod lease;
mod loopback;
mod other;
mod serve;
mod summary;
mod upstreams;

use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use headroom_shared::runtime::terminal::sanitized;
use tokio::runtime::Builder;

use self::environment::Environment;
use self::find::Found;
use self::foreground::Ended;
use self::summary::Scope;
use crate::commands::WrapArgs;
use crate::running::{self, Stats, shown};
use crate::settings::Settings;

pub use self::serve::serve;

/// How long the proxy may take to count the client's last requests once the client has ended.
const SETTLING: Duration = Duration::from_secs(2);
/// How often it is asked.
const PAUSE: Duration = Duration::from_millis(20);

/// What a client is started with.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Invocation {
    /// Its words, the program first.
    words: Vec<std::ffi::OsString>,
    /// Variables that are set besides those of this process.
    env: Vec<(&'static str, String)>,
}

/// Runs the client, and gives the code to exit with: the client's own, 128 and its signal's number, 127 where there is no such command, or
/// 126 where it can't be run.
///
/// # Errors
/// When there is no proxy to be found or started for it, or one that sends elsewhere than the client asks.
pub fn run(args: &WrapArgs, settings: &Settings) -> anyhow::Result<ExitCode> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(Box::pin(wrap(args, settings)))
}

async fn wrap(args: &WrapArgs, settings: &Settings) -> anyhow::Result<ExitCode> {
    let client = args.client()?;
    let environment = Environment::read();
    let mut signals = foreground::Signals::catch()?;
    let found = tokio::select! {
        found = find::find_or_start(settings, args.tier, client, &environment) => found?,
        number = signals.end() => return Ok(Ended::Signal(number).code()),
    };
    let (url, offers_tool) = (found.url.as_str(), found.offers_tool());
    let mut invocation = client.invocation(url, offers_tool, &environment)?;
    invocation.env.extend(loopback::exempt(&environment));
    let ended = foreground::run(&invocation, &mut signals).await?;
    if let Ended::NotStarted(error) = &ended {
        let program = sanitized(&invocation.words[0].to_string_lossy());
        say(&format!("can't run {program}: {error}"));
        return Ok(ended.code());
    }
    let after = settled(&found).await;
    let scope = if found.is_alone() {
        Scope::ThisCommand
    } else {
        Scope::AllClients
    };
    let line = match &after {
        Ok(after) => {
            let past = client.asks_past(&environment);
            summary::line(&found.before, after, scope, past)
        }
        Err(error) => format!(
            "the proxy at {} does not say what it has counted: {error:#}{}",
            shown(&found.url),
            found.see_log()
        ),
    };
    say(&line);
    Ok(ended.code())
}

/// What the proxy has counted, once it has counted all that the client sent.
async fn settled(found: &Found) -> anyhow::Result<Stats> {
    let begun = Instant::now();
    loop {
        let stats = running::stats(&found.url).await?;
        if stats.proxy.under_way == 0 || begun.elapsed() > SETTLING {
            return Ok(stats);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Tells the person at the terminal, if it is still there.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "headroom: {line}");
}
