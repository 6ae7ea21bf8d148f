//! The background runtime, for work that no request waits for. The system runs its threads only when no others want to run, so that cold
//! starts use only CPU time that requests leave over.

use std::io;

use tokio::runtime::{Builder, Handle, Runtime};

/// The runtime. What still runs on it when it is dropped is cut off.
#[derive(Debug)]
pub(crate) struct BackgroundRuntime(Option<Runtime>);

impl BackgroundRuntime {
    /// Starts its thread.
    ///
    /// # Errors
    /// When the system gives none.
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("background")
            .on_thread_start(lower_priority)
            .enable_all()
            .build()?;
        Ok(Self(Some(runtime)))
    }

    /// For spawning work on it, and for entering its context so that what a library spawns runs on it, too.
    pub(crate) fn handle(&self) -> Handle {
        self.0
            .as_ref()
            .map_or_else(Handle::current, |runtime| runtime.handle().clone())
    }
}

impl Drop for BackgroundRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Has this thread, and those that it starts, run only when no other wants to. The lowest priority alone would not do: a thread may finish
/// the time slice that it has begun, while a request waits.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    {
        use thread_priority::unix::{
            NormalThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy,
            thread_native_id,
        };
        let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        let least = thread_priority::ThreadPriority::Min;
        if let Err(error) = set_thread_priority_and_policy(thread_native_id(), least, idle) {
            tracing::debug!(%error, "can't have a thread wait for all others");
        }
    }
}
