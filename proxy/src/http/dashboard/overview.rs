//! The document that the page shows.

use std::num::NonZeroU32;
use std::time::Duration;

use headroom_shared::queue::AdminQueue;
use headroom_shared::runtime::clock::now_ms;
use headroom_shared::store::StoreError;
use serde_json::{Value, json};

use crate::app::App;

/// So many requests are shown.
const TURNS: usize = 50;
/// So many conversations are shown.
const CONVERSATIONS: usize = 50;
/// So many jobs of each state are shown, and so many dead letters.
const JOBS: NonZeroU32 = NonZeroU32::new(20).unwrap();
/// How long the page waits for the queue.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(1);

/// What there is to show now.
pub(super) async fn read(app: &App) -> Value {
    let mut conversations = app.activity.conversations();
    let conversation_count = conversations.len();
    conversations.truncate(CONVERSATIONS);
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "now_ms": now_ms(),
        "store": app.rules.store_name,
        "tier": app.rules.planner.tier.name(),
        "compresses": app.rules.compress,
        "shows_text": app.rules.show_text,
        "counts": app.counts.stats(None, app.rules.store_name),
        "turns": app.activity.last_turns(TURNS),
        "conversations": conversations,
        "conversation_count": conversation_count,
        "queue": queue(app.admin.as_ref()).await,
    })
}

/// The queue, or why it can't be shown.
async fn queue(admin: &dyn AdminQueue) -> Value {
    match tokio::time::timeout(QUEUE_TIMEOUT, read_queue(admin, JOBS)).await {
        Ok(Ok(queue)) => queue,
        Ok(Err(error)) => json!({"error": error.to_string()}),
        Err(_) => json!({"error": "the queue did not answer within 1 s"}),
    }
}

/// The queue's state, at most so many jobs of each state, and so many dead letters.
pub(super) async fn read_queue(
    admin: &dyn AdminQueue,
    limit: NonZeroU32,
) -> Result<Value, StoreError> {
    let status = admin.status().await?;
    let jobs = admin.list(limit).await?;
    let dead_letters = admin.dead_letters(limit).await?;
    Ok(json!({"status": status, "jobs": jobs, "dead_letters": dead_letters}))
}
