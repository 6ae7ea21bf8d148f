//! A browser that a script drives, step by step with a test.

use std::path::Path;
use std::process::Stdio;

use headroom_tests::{venv, wait};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// A running script. It prints what it waits for, and goes on when it is sent a line.
pub(super) struct View {
    script: Child,
    said: Lines<BufReader<ChildStdout>>,
    answers: ChildStdin,
}

impl View {
    /// Starts the script of this view of the page at `addr`.
    pub(super) fn open(view: &str, addr: &str, token: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = root.join("tests/browser");
        let venv = match venv::with("playwright", &folder.join("requirements.txt")) {
            Ok(venv) => venv,
            Err(error) => panic!("{error}"),
        };
        let images = root.join("../target/page");
        std::fs::create_dir_all(&images).unwrap();
        let mut script = Command::new(venv.join("bin/python"))
            .arg(folder.join("with_playwright.py"))
            .args([view, &format!("http://{addr}"), token])
            .arg(images)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("Python runs");
        Self {
            said: BufReader::new(script.stdout.take().unwrap()).lines(),
            answers: script.stdin.take().unwrap(),
            script,
        }
    }

    /// Waits until the script says that it waits for this.
    pub(super) async fn until(&mut self, what: &str) {
        let said = wait::soon("the browser", self.said.next_line()).await;
        assert_eq!(said.unwrap().as_deref(), Some(what));
    }

    /// Lets the script go on.
    pub(super) async fn go_on(&mut self) {
        self.answers.write_all(b"\n").await.unwrap();
    }

    /// Lets the script go on to its end, and sees that it was content.
    pub(super) async fn ended(mut self) {
        let _ = self.answers.write_all(b"\n").await;
        let status = wait::soon("the browser to end", self.script.wait()).await;
        assert!(status.unwrap().success(), "the script says why");
    }
}
