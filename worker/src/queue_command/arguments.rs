//! The subcommands of `headroom-worker queue` and their flags.

use std::num::NonZeroU32;

use clap::{Args, Subcommand};
use headroom_shared::runtime::reference::Reference;

use crate::model_command::ModelCommand;

/// What the program can do instead of working.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Look into the queue and set it right.
    Queue(QueueCommand),
    /// Download a model that leaves words out of texts.
    Model(ModelCommand),
    #[command(flatten)]
    Reference(Reference),
}

/// A step on the queue.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXIT_CODES)]
pub struct QueueCommand {
    /// Print one JSON object, or with --watch one a line.
    #[arg(long, global = true)]
    pub json: bool,

    /// The step.
    #[command(subcommand)]
    pub action: Action,
}

const EXIT_CODES: &str = "Ends with 0 when it is done, 1 when it could not be, 2 when it was asked for wrongly. The keys are those that \
                     redis-cli shows; every step may be taken while workers run.";

/// The steps.
#[derive(Debug, Clone, Subcommand)]
pub enum Action {
    /// How many jobs are where, who works, whether the queue is paused.
    Status {
        /// Read anew every second until Ctrl-C, with jobs done per second and the time until the queue is empty, both over the
        /// last 10 seconds.
        #[arg(long)]
        watch: bool,
    },
    /// The jobs that are not done: those that wait, the next to be claimed first; those in work; those put off to a later attempt.
    List(Limit),
    /// The buried jobs with the reasons, newest first.
    Dead(Limit),
    /// Bring buried jobs back into the queue, with their attempts unused. The queue's bound does not hold for them.
    #[command(group(clap::ArgGroup::new("which").required(true).args(["id", "all"])))]
    Replay {
        /// The job's id, as `queue dead` shows it.
        #[arg(value_name = "ID")]
        id: Option<String>,
        /// All that can be brought back, the oldest first. Those that can't be are named, and then it ends with 1.
        #[arg(long)]
        all: bool,
    },
    /// Take a job out of the queue or the dead list for good, with its payload. One in work is let be.
    Drop {
        /// The job's id, as `queue list` and `queue dead` show it.
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Stop claims: workers end what they work on and take no more; proxies go on pushing.
    Pause,
    /// Let claims go on.
    Resume,
}

/// How much is shown.
#[derive(Debug, Clone, Copy, Args)]
pub struct Limit {
    /// How many at most: of each state, or of the dead list [default: 50; with --json all].
    #[arg(long, value_name = "LIMIT")]
    limit: Option<NonZeroU32>,
}

/// The limit for text output.
const DEFAULT_LIMIT: NonZeroU32 = NonZeroU32::new(50).unwrap();

impl Limit {
    /// The limit that was given, or else the default.
    #[must_use]
    pub fn or_default(self, json: bool) -> NonZeroU32 {
        let default = if json { NonZeroU32::MAX } else { DEFAULT_LIMIT };
        self.limit.unwrap_or(default)
    }
}
