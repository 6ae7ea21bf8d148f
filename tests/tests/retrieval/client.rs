//! The official Python client of the protocol.

use std::path::Path;
use std::process::Stdio;

use headroom_tests::{venv, wait};
use tokio::process::Command;

use super::{ID, over_redis};

#[tokio::test]
async fn the_official_client_finds_and_calls_the_tool() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/retrieval");
    let venv = match venv::with("mcp", &folder.join("requirements.txt")) {
        Ok(venv) => venv,
        Err(error) => panic!("{error}"),
    };
    let stage = over_redis("one\ntwo\nthree").await;
    let mut command = Command::new(venv.join("bin/python"));
    command
        .arg(folder.join("with_mcp.py"))
        .arg(format!("http://{}/mcp", stage.addr()))
        .arg(ID)
        .env_clear()
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = wait::soon("the script to end", command.output()).await;
    let output = output.expect("Python runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{said}", output.status);
    // Twice each: by both ways to begin that the protocol has.
    let stats = &stage.stats().await["retrieval"]["calls"];
    assert_eq!(
        (&stats["found"], &stats["gone"], &stats["refused"]),
        (&4.into(), &2.into(), &2.into())
    );
}
