//! The jobs that are left to a worker: built and pushed to the queue in the background, one at a time and in bounded memory.

mod fleet;
mod job;
pub(crate) mod overdue;
mod pending;

use std::sync::Arc;

use bytes::Bytes;
use headroom_shared::contract::id::PrefixId;
use headroom_shared::contract::job::Envelope;
use headroom_shared::contract::output_kind::OutputKinds;
use headroom_shared::contract::tier::Tier;
use headroom_shared::queue::{Enqueued, JobQueue};
use headroom_shared::traces::{Kind, Span, SpanParent};
use quick_cache::sync::Cache;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use self::fleet::Fleet;
use self::overdue::OverdueJobs;
pub(crate) use self::pending::PendingJob;
use crate::background_limit::BackgroundLimit;
use crate::metrics::fleet::FleetCounts;
use crate::plan::fleet::Part;
use crate::scan::Scan;

/// The side of the queue that pushes jobs.
#[derive(Debug)]
pub(crate) struct Jobs {
    pub(crate) queue: Arc<dyn JobQueue>,
    pub(crate) overdue: OverdueJobs,
    pub(crate) fleet: Fleet,
    build_limit: BackgroundLimit,
    /// Jobs that were pushed here and whose requests have spans, by their prefixes.
    traced: Cache<PrefixId, Arc<TracedJob>>,
}

/// Memory that is reserved for building a job, and where to say what became of the job.
#[derive(Debug)]
pub(crate) struct JobPermit {
    _memory: OwnedSemaphorePermit,
    outcome: oneshot::Sender<Enqueued>,
}

/// The request that a job comes from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origin {
    /// Its id.
    pub(crate) id: String,
    /// Its span.
    pub(crate) span: SpanParent,
}

/// A job whose span can be told.
#[derive(Debug)]
pub(crate) struct TracedJob {
    pub(crate) id: String,
    /// That in which it was pushed, below which its own is.
    pub(crate) span: SpanParent,
}

/// How many traced jobs are remembered.
const MAX_TRACED: usize = 4096;

/// What a job is built from: the messages of a request that `prefix` ends with, or some new blocks of it alone.
#[derive(Debug)]
pub(crate) struct JobSource {
    pub(crate) body: Bytes,
    pub(crate) scan: Arc<Scan>,
    pub(crate) prefix: PrefixId,
    /// What its forms may leave out.
    pub(crate) tier: Tier,
    /// The kinds of blocks of which they leave out nothing all the same.
    pub(crate) whole_kinds: OutputKinds,
    /// The request that it comes from.
    pub(crate) origin: Origin,
    /// Whether the prefix has been sent for long and has grown.
    pub(crate) is_refresh: bool,
    /// The new blocks that it is for alone, if it is.
    pub(crate) tail: Option<Tail>,
}

/// The new blocks that a job is for alone.
#[derive(Debug)]
pub(crate) struct Tail {
    /// Their positions in the scan, in order.
    pub(crate) blocks: Vec<usize>,
    /// After that nobody needs the result: milliseconds since 1970.
    pub(crate) useful_until_ms: u64,
}

/// The jobs of parts of a request, to be pushed together. They hold the memory that is reserved for them.
#[derive(Debug)]
pub(crate) struct PartJobs {
    /// The envelope and the payload of each.
    pub(crate) jobs: Vec<(Envelope, Bytes)>,
    /// The part that each is for, with its envelope.
    pub(crate) parts: Vec<(Part, Envelope)>,
    _memory: OwnedSemaphorePermit,
}

impl Jobs {
    pub(crate) fn new(queue: Arc<dyn JobQueue>) -> Self {
        Self {
            queue,
            overdue: OverdueJobs::new(),
            fleet: Fleet::default(),
            build_limit: BackgroundLimit::new(),
            traced: Cache::new(MAX_TRACED),
        }
    }

    /// Reserves memory for the job of a body of so many bytes. There is no permit, and the job is dropped, where too many others wait to
    /// be built.
    pub(crate) fn reserve(&self, bytes: usize) -> (Option<JobPermit>, PendingJob) {
        let (outcome, pending) = PendingJob::new();
        let permit = if let Some(memory) = self.build_limit.reserve(bytes) {
            Some(JobPermit {
                _memory: memory,
                outcome,
            })
        } else {
            log_without_job("too many jobs wait to be built");
            let _ = outcome.send(Enqueued::DroppedFull);
            None
        };
        (permit, pending)
    }

    /// Builds a job and pushes it, unless the queue is full. Gives the job if it waits in the queue.
    pub(crate) async fn enqueue(
        &self,
        permit: JobPermit,
        mut source: JobSource,
    ) -> Option<Envelope> {
        if self.queue.drop_if_full(source.is_refresh).await {
            log_without_job(QUEUE_FULL);
            let _ = permit.outcome.send(Enqueued::DroppedFull);
            return None;
        }
        let mut span = Span::begin("push job", Kind::Producer, &source.origin.span);
        if span.is_recording() {
            source.origin.span = span.as_parent();
        }
        let built = self.build_limit.run(move || job::build(&source)).await;
        let Some((envelope, payload)) = built else {
            log_without_job("none can be made of the request");
            return None;
        };
        match self.queue.enqueue(&envelope, payload).await {
            Ok(enqueued) => {
                log(&envelope, enqueued);
                if span.is_recording() {
                    span.set("headroom.job.id", envelope.id.clone());
                    let job = TracedJob {
                        id: envelope.id.clone(),
                        span: span.as_parent(),
                    };
                    self.traced.insert(envelope.prefix, Arc::new(job));
                }
                let _ = permit.outcome.send(enqueued);
                (enqueued == Enqueued::Queued).then_some(envelope)
            }
            Err(error) => {
                tracing::warn!(job.prefix = %envelope.prefix, %error, "could not push a job: its session stays as it is for a while");
                None
            }
        }
    }

    /// Builds the jobs of parts of a request, unless too many others wait to be built.
    pub(crate) fn build_parts(
        &self,
        (body, scan): (&Bytes, &Scan),
        parts: Vec<Part>,
        origin: &Origin,
    ) -> Option<PartJobs> {
        let bytes = parts.iter().map(|part| part.bytes).sum();
        let mut built = PartJobs {
            jobs: Vec::new(),
            parts: Vec::new(),
            _memory: self.build_limit.reserve(bytes)?,
        };
        for part in parts {
            let (envelope, payload) = job::build_part((body, scan), &part, origin)?;
            built.parts.push((part, envelope.clone()));
            built.jobs.push((envelope, payload));
        }
        Some(built)
    }

    /// Keeps [`Self::fleet`] up to date, for ever.
    pub(crate) async fn watch_fleet(&self, counts: &FleetCounts) {
        self.fleet.watch(&*self.queue, counts).await;
    }

    /// The job of this prefix, if it was pushed here and is traced.
    pub(crate) fn span_of(&self, prefix: PrefixId) -> Option<Arc<TracedJob>> {
        self.traced.get(&prefix)
    }

    /// Withdraws the job of a request that the provider refused.
    pub(crate) async fn withdraw(&self, job: &Envelope) {
        match self.queue.withdraw(job).await {
            Ok(()) => {
                tracing::info!(job.id = job.id, job.prefix = %job.prefix, "a job was withdrawn: the provider refused the request");
            }
            Err(error) => {
                tracing::warn!(job.id = job.id, job.prefix = %job.prefix, %error, "could not withdraw the job of a request that the provider refused: it is done for nothing");
            }
        }
    }
}

const QUEUE_FULL: &str = "the queue is full";

/// Logs what became of a job that was pushed.
fn log(envelope: &Envelope, enqueued: Enqueued) {
    match enqueued {
        Enqueued::Queued => {
            tracing::info!(job.id = envelope.id, job.prefix = %envelope.prefix, job.tokens = envelope.tokens, job.refresh = envelope.refresh, "a job was queued");
        }
        Enqueued::Coalesced => {
            tracing::info!(job.prefix = %envelope.prefix, "a request got no job of its own: one for the same prefix waits");
        }
        Enqueued::DroppedFull => log_without_job(QUEUE_FULL),
        Enqueued::DroppedForMemory => log_without_job("Redis is nearly full, and the job is large"),
    }
}

/// Logs why a cold start or a refresh has no job. There is one line a request, and only large ones are that.
pub(crate) fn log_without_job(reason: &'static str) {
    tracing::info!(reason, "a request got no job");
}
