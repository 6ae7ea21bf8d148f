//! Keeps this process and the store of one mind: about the deployment's secret, by which all prefixes are named, and about what was sent. A
//! store that has lost its data, or some of it, is told what this process knows; otherwise replicas would send other forms than before.

use std::sync::Arc;
use std::time::{Duration, Instant};

use headroom_shared::store::{Generation, SecretCheck};
use tokio_util::sync::CancellationToken;

use crate::app::App;

/// How often the store is asked for the secret, and which data it holds.
const CHECK_INTERVAL: Duration = Duration::from_millis(250);
/// How long after one loss of a connection the next makes this process compare all it knows with the store again.
const COMPARE_INTERVAL: Duration = Duration::from_secs(10);

/// Checks the store again and again until `stop`.
pub(crate) async fn check_until(app: Arc<App>, stop: CancellationToken) {
    let mut written_back = None;
    loop {
        check(&app, &mut written_back).await;
        let lost = app.records.store().data_lost();
        let lost_or_due = tokio::time::timeout(CHECK_INTERVAL, lost);
        if stop.run_until_cancelled(lost_or_due).await.is_none() {
            return;
        }
    }
}

/// The generation of the store's data to which all that this process knows was written back last, and when.
type WrittenBack = Option<(Generation, Instant)>;

async fn check(app: &App, written_back: &mut WrittenBack) {
    let Some(own) = app.known_key() else {
        return;
    };
    match app.records.store().check_secret(&own).await {
        Ok(SecretCheck::Same(generation)) => write_back(app, generation, written_back).await,
        Ok(SecretCheck::Replaced(secret)) => {
            app.replace_key(secret);
            app.records.forget();
            tracing::warn!(
                "the store has lost its data and holds another secret: it is used from now on, and sessions under way count as new"
            );
        }
        Err(error) => tracing::debug!(%error, "could not check the deployment's secret"),
    }
}

/// Writes what this process knows to a store that may lack some of it.
async fn write_back(app: &App, generation: Generation, written_back: &mut WrittenBack) {
    let mut lost_all = false;
    if let Some((before, at)) = written_back {
        lost_all = before.is_lost_in(&generation);
        if *before == generation || !lost_all && at.elapsed() < COMPARE_INTERVAL {
            return;
        }
    }
    match app.records.write_back().await {
        Ok(entries) => {
            *written_back = Some((generation, Instant::now()));
            if lost_all || entries > 0 {
                tracing::warn!(
                    entries,
                    "the store has lost data: all that is known here of sessions was written back"
                );
            }
        }
        Err(error) => {
            tracing::warn!(%error, "could not write back what the store may have lost: it is tried again");
        }
    }
}
