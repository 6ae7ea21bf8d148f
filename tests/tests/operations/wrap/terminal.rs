//! Terminal, signals and exit codes are the client's.

use headroom_tests::process::Launch;
use headroom_tests::provider::Provider;
use headroom_tests::wait;

use super::{Client, code, run, wrap};

#[tokio::test]
async fn signals_and_exit_codes_are_the_client_s() {
    let provider = Provider::start().await;
    let dies = Client::new("client", "kill -KILL $$");
    assert_eq!(run(&wrap(Launch::proxy(&provider), &dies)).await.0, 128 + 9);

    // Both signals to end reach it, and it does with them what it likes.
    let traps = Client::new(
        "client",
        r#"trap 'touch "$here/hup"' HUP; trap 'exit 9' TERM; touch "$here/ready"; wait_for never"#,
    );
    let mut wrapped = wrap(Launch::proxy(&provider), &traps).spawn();
    traps.has("ready").await;
    wrapped.signal("HUP");
    traps.has("hup").await;
    wrapped.signal("TERM");
    assert_eq!(code(&mut wrapped).await, Some(9), "{}", wrapped.log());

    // Ctrl-C reaches the client from the terminal: what reaches `wrap` ends neither.
    let waits = Client::new(
        "client",
        r#"touch "$here/ready"; wait_for go; ask "$ANTHROPIC_BASE_URL"; exit 3"#,
    );
    let mut wrapped = wrap(Launch::proxy(&provider), &waits).spawn();
    waits.has("ready").await;
    wrapped.signal("INT");
    wrapped.signal("QUIT");
    waits.allow("go");
    assert_eq!(code(&mut wrapped).await, Some(3), "{}", wrapped.log());
    assert!(wrapped.log().contains("; 1 request"), "{}", wrapped.log());
}

#[tokio::test]
async fn a_client_that_stops_itself_stops_wrap_too() {
    let provider = Provider::start().await;
    let stops = Client::new("client", r#"kill -STOP $$; exit 5"#);
    let mut wrapped = wrap(Launch::proxy(&provider), &stops).spawn();
    let pid = wrapped.pid();
    wait::eventually("wrap to stop", || {
        std::future::ready(is_stopped(pid).then_some(()))
    })
    .await;
    wrapped.signal("CONT");
    assert_eq!(code(&mut wrapped).await, Some(5), "{}", wrapped.log());
}

fn is_stopped(pid: u32) -> bool {
    let mut asked = std::process::Command::new("ps");
    let output = asked
        .args(["-o", "state=", "-p", &pid.to_string()])
        .output();
    output.unwrap().stdout.starts_with(b"T")
}

/// Runs a program at a terminal of its own, types Ctrl-C once it says `ready`, and shows what it has said.
const TERMINAL: &str = r#"
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
said, typed = b"", False
while True:
    try:
        read = os.read(terminal, 4096)
    except OSError:
        break
    if not read:
        break
    said += read
    if b"ready" in said and not typed:
        os.write(terminal, b"\x03")
        typed = True
sys.stdout.buffer.write(said)
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#;

#[tokio::test]
async fn the_terminal_is_the_client_s() {
    let provider = Provider::start().await;
    let does = r#"trap 'echo interrupted; ask "$ANTHROPIC_BASE_URL"; exit 4' INT
        [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo ready
        wait_for never"#;
    let client = Client::new("client", does);
    let launch = wrap(Launch::proxy(&provider), &client);
    let output = launch.through(&["python3", "-c", TERMINAL]).run().await;
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert_eq!(said.matches("interrupted").count(), 1, "{said}");
    assert!(said.contains("; 1 request"), "{said}");
    assert!(client.read("answer").starts_with("HTTP/1.1 200 "));
}
