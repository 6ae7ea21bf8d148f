//! A large request after a pause, over a real distance: client and proxy in one network namespace, the provider in another,
//! and 20 ms for a round trip between them (`netem`). While a connection is idle, Linux forgets how much the way can carry
//! (`tcp_slow_start_after_idle`) and begins anew with a few packets; a proxy near the client need not.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use headroom_tests::wait;

use crate::args::Args;
use crate::bodies::Texts;
use crate::figures::{Distance, Report, median};
use crate::load::{self, Client};
use crate::targets::{Running, Store, Target};

const RTT_MS: u32 = 20;
const BODY_BYTES: usize = 2_000_000;
/// A person's pause: much longer than the 200 ms after which Linux forgets.
const PAUSE: Duration = Duration::from_secs(2);
/// The provider's end of the way.
const FAR: &str = "10.203.7.2:8080";

/// Two network namespaces and the way between them. They are removed when dropped.
struct Namespaces {
    near: String,
    far: String,
}

impl Namespaces {
    /// Makes them; fails where this is not Linux, or the rights are missing.
    fn new() -> anyhow::Result<Self> {
        let pid = std::process::id();
        let namespaces = Self {
            near: format!("headroom-near-{pid}"),
            far: format!("headroom-far-{pid}"),
        };
        let (near, far) = (&namespaces.near, &namespaces.far);
        let (one, other) = (format!("hn{pid}"), format!("hf{pid}"));
        ip(&["netns", "add", near])?;
        ip(&["netns", "add", far])?;
        ip(&[
            "link", "add", &one, "netns", near, "type", "veth", "peer", "name", &other, "netns",
            far,
        ])?;
        for (namespace, link, address) in [
            (near, &one, "10.203.7.1/24"),
            (far, &other, "10.203.7.2/24"),
        ] {
            ip(&["-n", namespace, "address", "add", address, "dev", link])?;
            ip(&["-n", namespace, "link", "set", link, "up"])?;
            ip(&["-n", namespace, "link", "set", "lo", "up"])?;
            let delay = format!("{}ms", RTT_MS / 2);
            let words = [
                "-n", namespace, "qdisc", "add", "dev", link, "root", "netem", "delay", &delay,
                "limit", "100000",
            ];
            run("tc", &words)?;
        }
        Ok(namespaces)
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        for namespace in [&self.near, &self.far] {
            let _ = ip(&["netns", "delete", namespace]);
        }
    }
}

fn ip(words: &[&str]) -> anyhow::Result<()> {
    run("ip", words)
}

fn run(program: &str, words: &[&str]) -> anyhow::Result<()> {
    let output = Command::new(program).args(words).output();
    let output = output.with_context(|| format!("{program} does not run"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(
        output.status.success(),
        "{program} {}: {}",
        words.join(" "),
        said.trim()
    );
    Ok(())
}

/// Measures, where namespaces can be made.
pub(crate) async fn measure(args: &Args, report: &mut Report) -> anyhow::Result<()> {
    let namespaces = match Namespaces::new() {
        Ok(namespaces) => namespaces,
        Err(error) => {
            writeln!(std::io::stderr(), "no figures over a distance: {error:#}")?;
            return Ok(());
        }
    };
    let own = std::env::current_exe()?;
    let inside = |namespace: &str| {
        let mut command = tokio::process::Command::new("ip");
        command
            .args(["netns", "exec", namespace])
            .arg(&own)
            .kill_on_drop(true);
        command
    };
    let mut provider = inside(&namespaces.far);
    let _provider = provider.args(["provider", FAR]).spawn()?;
    let mut near = inside(&namespaces.near);
    near.args(["near", FAR, "--pauses", &args.pauses.to_string()]);
    let output = near.stderr(Stdio::inherit()).output().await?;
    anyhow::ensure!(output.status.success(), "the client at the near end failed");
    report.distance = serde_json::from_slice(&output.stdout)?;
    Ok(())
}

/// The near end: direct, and through the proxy. Writes what it saw as JSON.
pub(crate) async fn near(provider: &str, pauses: u32) -> anyhow::Result<()> {
    let listens = || async { tokio::net::TcpStream::connect(provider).await.ok() };
    wait::within(wait::DEADLINE, listens)
        .await
        .context("the far provider does not listen")?;
    let texts = Texts::find();
    let mut targets = vec![Running::direct(provider)];
    for target in [Target::Off, Target::KnownPrefix, Target::HalfReplaced] {
        targets.extend(Running::proxies(target, Store::Embedded, provider, (&[], None)).await);
    }
    let mut runners = Vec::new();
    for running in targets {
        let body = texts
            .request(BODY_BYTES, running.target.task())
            .of_session(1);
        let mut clients = vec![Client::new(running.address(), body)?];
        running.warm(&mut clients)?;
        runners.push((running, clients, Vec::new()));
    }
    for _ in 0..pauses {
        // This pause is what is measured, not a wait for something.
        tokio::time::sleep(PAUSE).await;
        for (_, clients, times) in &mut runners {
            let taken = load::turn(clients, 1)?;
            times.extend(taken.times.iter().map(|time| time.as_secs_f64() * 1e3));
        }
    }
    let seen = runners.into_iter().map(|(running, _, times)| Distance {
        target: serde_json::to_value(running.target)
            .map(|name| name.as_str().unwrap_or_default().to_owned())
            .unwrap_or_default(),
        body_bytes: BODY_BYTES,
        rtt_ms: RTT_MS,
        p50_ms: median(&times),
        worst_ms: times.iter().copied().fold(0.0, f64::max),
    });
    serde_json::to_writer(std::io::stdout(), &seen.collect::<Vec<_>>())?;
    Ok(())
}
