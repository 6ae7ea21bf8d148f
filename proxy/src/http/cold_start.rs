//! A cold start: the request goes out at once as it came, while its record and its job are made in the background.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use headroom_shared::runtime::clock::now_ms;
use tokio::sync::oneshot;

use crate::http::context::RequestContext;
use crate::http::later_job::job_source;
use crate::http::outgoing::Outgoing;
use crate::http::scannable_body::ScannableBody;
use crate::jobs::{JobPermit, log_without_job};
use crate::metrics::uncompressed::Uncompressed;
use crate::records::sent_request::SentRequest;
use crate::usage::Outcome;

/// The outgoing request of a cold start. Where too many jobs wait to be built, it gets neither a record nor a job, as if it had been sent
/// past the proxy.
pub(super) fn forward(context: &RequestContext, received: &Bytes, body: ScannableBody) -> Outgoing {
    let (permit, job) = context.app.jobs.reserve(body.bytes.len());
    let mut outgoing = Outgoing::with_unchanged_text(received, &body, Uncompressed::ColdStart);
    outgoing.job = Some(job);
    if let Some(permit) = permit {
        let (on_outcome, outcome) = oneshot::channel();
        outgoing.on_outcome = Some(Box::new(|outcome| _ = on_outcome.send(outcome)));
        let recorded = record_and_enqueue(context.clone(), body, permit, now_ms(), outcome);
        context.spawn_in_background(async { _ = recorded.await });
    }
    outgoing
}

/// Makes the record of a cold start that went out at `now_ms`, and pushes its job, which is withdrawn if the provider refuses the request.
/// If this comes late, no other request goes wrong: without the record, the conversation's next turn is a cold start, too.
async fn record_and_enqueue(
    context: RequestContext,
    mut body: ScannableBody,
    permit: JobPermit,
    now_ms: u64,
    outcome: oneshot::Receiver<Outcome>,
) -> Option<()> {
    let app = &context.app;
    let Ok(scan) = body.scan(&context) else {
        log_without_job("the rest of the body is not in its dialect");
        return None;
    };
    let known = app.records.look_up_locally(&scan);
    let planner = context.planner();
    let request = planner.request((&body.bytes, &scan), &known, (app.billing.prices(), now_ms));
    // Nothing is compressed here: the original has gone out.
    let plan = planner.plan(request, &HashMap::new(), BTreeMap::new())?;
    let (job, is_new) = (plan.job, planner.is_cold_start(&scan, &known));
    let plan = plan.commit(&[]);
    let in_originals = (&[][..], &body.bytes);
    let bill = context.open_bill((&scan, &known), in_originals, (None, now_ms));
    let observation = context.observe(&scan, &known, now_ms);
    let sent = SentRequest::new(&app.records, plan, &scan, known, bill);
    let sent = sent.with_observation(observation);
    let enqueued = async {
        if let Some(prefix) = job {
            let source = job_source(&context, (&body.bytes, &scan), prefix, false);
            app.jobs.enqueue(permit, source).await
        } else {
            drop(permit);
            log_without_job(if is_new {
                "thinking is bound to what a result would change"
            } else {
                "another request has sent its prefix meanwhile"
            });
            None
        }
    };
    let ended = async {
        match outcome.await {
            Ok(Outcome::Refused) => Some(sent),
            Ok(ended) => {
                sent.note_outcome(ended);
                None
            }
            // There was no response.
            Err(_) => None,
        }
    };
    let (queued, refused) = tokio::join!(enqueued, ended);
    let refused = refused?;
    // The job first: its result must not come after what is deleted with the record.
    if let Some(job) = queued {
        app.jobs.withdraw(&job).await;
    }
    refused.note_outcome(Outcome::Refused);
    Some(())
}
