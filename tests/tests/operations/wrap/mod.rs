//! `headroom-proxy wrap`: a shell script in a client's place, in front of real proxies.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod clients;
mod proxies;
mod terminal;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::process::{Launch, Process};
use headroom_tests::wait;
use tempfile::TempDir;
use tokio::net::TcpStream;

/// What every client does first: it keeps its arguments and variables, and knows how to `ask`.
const BEGIN: &str = r#"#!/usr/bin/env bash
here=$(dirname "$0")
printf '%s\n' "$@" > "$here/args"
env > "$here/env"
ask() {
    base=${1#http://}
    base=${base%%/*}
    exec 3<>"/dev/tcp/${base%:*}/${base##*:}"
    printf 'POST /v1/messages HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %s\r\nConnection: close\r\n\r\n' \
        "$base" "$(stat -c %s "$here/body" 2>/dev/null || stat -f %z "$here/body")" >&3
    cat "$here/body" >&3
    cat <&3 > "$here/answer"
    exec 3>&-
}
wait_for() { until [ -e "$here/$1" ]; do sleep 0.05; done; }
"#;

/// A client in a folder of its own.
struct Client {
    folder: TempDir,
}

impl Client {
    /// A client of this name that does this.
    fn new(name: &str, does: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let program = folder.path().join(name);
        fs::write(&program, format!("{BEGIN}{does}\n")).unwrap();
        fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
        let conversation = Conversation::new(Dialect::Messages, "wrap").user("Find the bug.");
        let body = conversation.reads(1, 4000).reads(2, 4000).body();
        fs::write(folder.path().join("body"), &body.bytes).unwrap();
        Self { folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn program(&self) -> String {
        self.file("client").display().to_string()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap()
    }

    /// Lets it go on that waits for this file.
    fn allow(&self, name: &str) {
        fs::write(self.file(name), "").unwrap();
    }

    /// Waits until it has written this file.
    async fn has(&self, name: &str) {
        let path = self.file(name);
        wait::eventually(name, || std::future::ready(path.exists().then_some(()))).await;
    }

    /// A variable that it was given.
    fn variable(&self, name: &str) -> Option<String> {
        let env = self.read("env");
        let value = |line: &str| {
            line.strip_prefix(name)?
                .strip_prefix('=')
                .map(str::to_owned)
        };
        env.lines().find_map(value)
    }

    /// `launch` with this client first in `PATH`.
    fn in_path(&self, launch: Launch) -> Launch {
        let path = std::env::var("PATH").unwrap();
        launch.set("PATH", format!("{}:{path}", self.folder.path().display()))
    }
}

/// Runs `wrap` to its end: the exit code and what it said on standard error.
async fn run(launch: &Launch) -> (i32, String) {
    let output = launch.run().await;
    let said = String::from_utf8(output.stderr).unwrap();
    let code = output.status.code();
    (
        code.unwrap_or_else(|| panic!("{:?}: {said}", output.status)),
        said,
    )
}

/// `wrap -- client`.
fn wrap(launch: Launch, client: &Client) -> Launch {
    launch.args(&["wrap", "--", &client.program()])
}

async fn code(process: &mut Process) -> Option<i32> {
    process.ended(wait::DEADLINE).await.code()
}

/// Waits until nobody listens at this base URL any more.
async fn is_gone(base: &str) {
    let addr = base.trim_start_matches("http://").to_owned();
    wait::eventually("the started proxy to end", || async {
        TcpStream::connect(&addr).await.err()
    })
    .await;
}
