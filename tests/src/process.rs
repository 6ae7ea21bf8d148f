//! The project's two programs as child processes, set up by environment variables alone.

use std::collections::BTreeMap;
use std::fs::File;
use std::future::ready;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tempfile::{NamedTempFile, TempDir};

use crate::http::Call;
use crate::ports::free_port;
use crate::provider::Provider;
use crate::wait;

/// What is started.
#[derive(Debug, Clone)]
enum Program {
    /// A program that the workspace builds.
    Built(&'static str),
    /// The running program itself, in the role that its arguments name.
    Itself(Vec<String>),
    /// A program of another build.
    At(PathBuf),
}

impl Program {
    fn command(&self, wrapper: &[String]) -> Command {
        let (path, role) = match self {
            Self::Built(name) => (program_path(name), [].as_slice()),
            Self::Itself(role) => (own_path(), role.as_slice()),
            Self::At(path) => (path.clone(), [].as_slice()),
        };
        let mut command = match wrapper {
            [] => Command::new(path),
            [first, rest @ ..] => {
                let mut command = Command::new(first);
                command.args(rest).arg(path);
                command
            }
        };
        command.args(role);
        command
    }
}

impl std::fmt::Display for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Built(name) => f.write_str(name),
            Self::Itself(role) => f.write_str(&role.join(" ")),
            Self::At(path) => write!(f, "{}", path.display()),
        }
    }
}

/// How to start a program.
#[derive(Debug, Clone)]
pub struct Launch {
    program: Program,
    wrapper: Vec<String>,
    args: Vec<String>,
    env: BTreeMap<String, String>,
    port: u16,
    ready: &'static str,
    folder: Arc<TempDir>,
}

impl Launch {
    fn new(program: &'static str, port_variable: &str) -> Self {
        let folder = Arc::new(TempDir::new().expect("a temporary folder"));
        let port = free_port();
        let launch = Self {
            program: Program::Built(program),
            wrapper: Vec::new(),
            args: Vec::new(),
            env: BTreeMap::new(),
            port,
            ready: "/readyz",
            folder,
        };
        launch.set(port_variable, port).set("HEADROOM_LOG", "info")
    }

    /// The proxy before `provider`, with a data folder of its own and the embedded store.
    #[must_use]
    pub fn proxy(provider: &Provider) -> Self {
        Self::proxy_to(&provider.url())
    }

    /// The proxy before the provider at `url`.
    #[must_use]
    pub fn proxy_to(url: &str) -> Self {
        let launch = Self::new("headroom-proxy", "HEADROOM_PORT");
        let folder = launch.folder.path().display().to_string();
        launch
            .set("HEADROOM_DATA_DIR", folder)
            .set("ANTHROPIC_TARGET_API_URL", url)
            .set("OPENAI_TARGET_API_URL", url)
    }

    /// A worker of the Redis at `url`.
    #[must_use]
    pub fn worker(url: &str) -> Self {
        Self::new("headroom-worker", "HEADROOM_WORKER_PORT").set("HEADROOM_REDIS_URL", url)
    }

    /// Takes another program for the same settings.
    #[must_use]
    pub fn program(mut self, name: &'static str) -> Self {
        self.program = Program::Built(name);
        self
    }

    /// Takes the program of another build at this path for the same settings.
    #[must_use]
    pub fn program_at(mut self, path: &std::path::Path) -> Self {
        self.program = Program::At(path.to_owned());
        self
    }

    /// Takes the running program itself, in the role that these arguments name, for the same settings.
    #[must_use]
    pub fn itself(mut self, role: &[impl ToString]) -> Self {
        self.program = Program::Itself(role.iter().map(ToString::to_string).collect());
        self
    }

    /// Starts it through a program that becomes it, such as `taskset -c 0`.
    #[must_use]
    pub fn through(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(ToString::to_string).collect();
        self
    }

    /// Gives it arguments.
    #[must_use]
    pub fn args(mut self, words: &[&str]) -> Self {
        self.args.extend(words.iter().map(ToString::to_string));
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn set(mut self, name: &str, value: impl ToString) -> Self {
        self.env.insert(name.to_owned(), value.to_string());
        self
    }

    /// Gives requests so much time for the store and for their new blocks that no busy machine changes what becomes of them.
    #[must_use]
    pub fn patient(self) -> Self {
        self.set("HEADROOM_STORE_BUDGET_MS", 5000)
            .set("HEADROOM_ENTRY_BUDGET_MS", 5000)
    }

    /// Removes an environment variable.
    #[must_use]
    pub fn unset(mut self, name: &str) -> Self {
        self.env.remove(name);
        self
    }

    /// Takes the program as started when it is alive, even if it is not ready.
    #[must_use]
    pub fn alive_is_enough(mut self) -> Self {
        self.ready = "/livez";
        self
    }

    fn command(&self) -> Command {
        let mut command = self.program.command(&self.wrapper);
        command
            .args(&self.args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .envs(&self.env)
            .stdin(Stdio::null());
        command
    }

    /// Starts the program and waits until it is ready.
    ///
    /// # Panics
    /// When it does not become ready; the message holds what it logged.
    pub async fn start(&self) -> Process {
        let process = self.spawn();
        process.wait_until_ready().await;
        process
    }

    /// Starts the program and does not wait.
    ///
    /// # Panics
    /// When it can't be started.
    #[must_use]
    pub fn spawn(&self) -> Process {
        let (log, stderr) = file_to_write();
        let (printed, stdout) = file_to_write();
        let mut process = self.spawn_writing_to(stdout, stderr);
        (process.log, process.printed) = (log, printed);
        process
    }

    /// Starts the program with its standard output and its log where these say, and waits until it is ready. The [`Process`] does not know
    /// what it prints and logs.
    ///
    /// # Panics
    /// When it does not become ready.
    pub async fn start_writing_to(
        &self,
        stdout: impl Into<Stdio>,
        log: impl Into<Stdio>,
    ) -> Process {
        let process = self.spawn_writing_to(stdout, log);
        process.wait_until_ready().await;
        process
    }

    /// The same without waiting.
    ///
    /// # Panics
    /// When it can't be started.
    #[must_use]
    pub fn spawn_writing_to(&self, stdout: impl Into<Stdio>, log: impl Into<Stdio>) -> Process {
        let mut command = self.command();
        let started = command.stdout(stdout).stderr(log).spawn();
        Process {
            child: started.expect("the program starts"),
            log: file_to_write().0,
            printed: file_to_write().0,
            launch: self.clone(),
        }
    }

    /// Starts the program with its standard output to be read. It is killed when dropped.
    ///
    /// # Panics
    /// When it can't be started.
    #[must_use]
    pub fn spawn_to_read(&self) -> tokio::process::Child {
        let mut command = tokio::process::Command::from(self.command());
        command
            .kill_on_drop(true)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts")
    }

    /// Runs the program to its end.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn run(&self) -> Output {
        let mut command = tokio::process::Command::from(self.command());
        command.kill_on_drop(true);
        wait::soon("the program to end", command.output())
            .await
            .expect("the program runs")
    }
}

/// A program that runs. It is killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: NamedTempFile,
    printed: NamedTempFile,
    launch: Launch,
}

impl Process {
    /// Host and port where it listens.
    #[must_use]
    pub fn addr(&self) -> String {
        format!("127.0.0.1:{}", self.launch.port)
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it logged so far.
    ///
    /// # Panics
    /// When the log can't be read.
    #[must_use]
    pub fn log(&self) -> String {
        read(&self.log)
    }

    /// Waits until it has logged this text so many times at least, and gives what it logged so far: a program does not wait until what it logs
    /// is written.
    ///
    /// # Panics
    /// When it never does.
    pub async fn logged(&self, text: &str, times: usize) -> String {
        let log = wait::within(wait::DEADLINE, || {
            let log = self.log();
            ready((log.matches(text).count() >= times).then_some(log))
        });
        match log.await {
            Some(log) => log,
            None => panic!("has not logged {text:?} {times} times:\n{}", self.log()),
        }
    }

    /// Asks it to stop, and gives all that it logged.
    ///
    /// # Panics
    /// When it goes on, or does not end well.
    pub async fn whole_log(&mut self) -> String {
        let ended = self.terminate(wait::DEADLINE).await;
        assert!(ended.success(), "{ended}: {}", self.log());
        self.log()
    }

    /// What it printed so far on its standard output.
    ///
    /// # Panics
    /// When that can't be read.
    #[must_use]
    pub fn printed(&self) -> String {
        read(&self.printed)
    }

    async fn wait_until_ready(&self) {
        let path = self.launch.ready;
        let answers = wait::within(wait::DEADLINE, || async {
            let answer = Call::get(path).try_send(&self.addr()).await.ok()?;
            (answer.status() == 200).then_some(())
        });
        assert!(
            answers.await.is_some(),
            "{} is not ready; its log:\n{}",
            self.launch.program,
            self.log()
        );
    }

    /// Sends it a signal, such as `TERM` or `STOP`.
    ///
    /// # Panics
    /// When the signal can't be sent.
    pub fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// Asks it to stop and waits until it has.
    ///
    /// # Panics
    /// When it goes on longer than `limit`.
    pub async fn terminate(&mut self, limit: Duration) -> ExitStatus {
        self.signal("TERM");
        self.ended(limit).await
    }

    /// Waits until it has ended.
    ///
    /// # Panics
    /// When it goes on longer than `limit`.
    pub async fn ended(&mut self, limit: Duration) -> ExitStatus {
        match wait::within(limit, || ready(self.status())).await {
            Some(status) => status,
            None => panic!("{} goes on after {limit:?}", self.launch.program),
        }
    }

    /// Whether it has ended.
    #[must_use]
    pub fn has_ended(&mut self) -> bool {
        self.status().is_some()
    }

    fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("its state is known")
    }

    /// Kills it where it stands.
    ///
    /// # Panics
    /// When it can't be killed.
    pub fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// Starts it again, after it was ended, with the same settings and data.
    pub async fn start_again(&mut self) {
        *self = self.launch.start().await;
    }
}

/// A temporary file, and a handle by which a program writes to it.
fn file_to_write() -> (NamedTempFile, File) {
    let file = NamedTempFile::new().expect("a temporary file");
    let written = file.reopen().expect("the file opens twice");
    (file, written)
}

fn read(file: &NamedTempFile) -> String {
    let mut bytes = Vec::new();
    let mut file = File::open(file.path()).expect("the file is there");
    file.read_to_end(&mut bytes).expect("the file is readable");
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let tail = log.len().saturating_sub(4000);
            let tail = log.get(tail..).unwrap_or(&log);
            eprintln_log(&self.launch.program, tail);
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "what a program logged belongs to the failed test's output"
)]
fn eprintln_log(program: &Program, log: &str) {
    eprintln!("--- log of {program} ---\n{log}");
}

/// Interrupts a program that has started so many child processes at least, and sees that it ends with 1 and leaves none of them behind.
///
/// # Panics
/// When it does not.
pub async fn interrupt_leaves_nothing_behind(mut program: tokio::process::Child, started: usize) {
    let pid = program.id().expect("it runs");
    let children = wait::eventually("its child processes", || {
        let children = children(pid);
        ready((children.len() >= started).then_some(children))
    })
    .await;
    signal(pid, "INT");
    let status = wait::soon("its end", program.wait()).await;
    assert_eq!(status.expect("its status").code(), Some(1));
    let left: Vec<u32> = all().into_iter().map(|(pid, _)| pid).collect();
    assert!(children.iter().all(|child| !left.contains(child)));
}

/// Sends a signal to one process.
///
/// # Panics
/// When it can't be sent.
pub fn signal(pid: u32, name: &str) {
    let status = Command::new("kill")
        .args([format!("-{name}"), pid.to_string()])
        .status()
        .expect("kill runs");
    assert!(status.success(), "SIG{name} to {pid}");
}

/// All processes of this machine, each with its parent.
///
/// # Panics
/// When `ps` does not run.
#[must_use]
pub fn all() -> Vec<(u32, u32)> {
    let listed = Command::new("ps")
        .args(["-A", "-o", "pid=,ppid="])
        .output()
        .expect("ps runs");
    let lines = String::from_utf8_lossy(&listed.stdout).into_owned();
    let read = |line: &str| {
        let (pid, parent) = line.trim().split_once(' ')?;
        Some((pid.parse().ok()?, parent.trim().parse().ok()?))
    };
    lines.lines().filter_map(read).collect()
}

/// The child processes of a process.
///
/// # Panics
/// When `ps` does not run.
#[must_use]
pub fn children(of: u32) -> Vec<u32> {
    let all = all().into_iter();
    let children = all.filter(|(_, parent)| *parent == of);
    children.map(|(pid, _)| pid).collect()
}

/// The programs stand beside the folder of the test executables: target/<profile>/deps/<test>.
fn program_path(program: &str) -> PathBuf {
    let test = own_path();
    let profile = test.parent().and_then(std::path::Path::parent);
    let path = profile.expect("target/<profile>").join(program);
    assert!(
        path.exists(),
        "{} is missing: run `cargo build --workspace --bins` (with the test's profile) first",
        path.display()
    );
    path
}

fn own_path() -> PathBuf {
    std::env::current_exe().expect("the running program's own path")
}
