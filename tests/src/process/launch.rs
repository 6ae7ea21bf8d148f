//! How a program is started: which, with what arguments and environment, and where it writes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use tempfile::TempDir;

use super::{Process, file_to_write};
use crate::ports::free_port;
use crate::provider::Provider;
use crate::wait;

/// What is started.
#[derive(Debug, Clone)]
pub(super) enum Program {
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
    pub(super) program: Program,
    wrapper: Vec<String>,
    args: Vec<String>,
    env: BTreeMap<String, String>,
    pub(super) port: u16,
    pub(super) ready: &'static str,
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
