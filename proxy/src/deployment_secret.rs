//! Keeps this process and the store of one mind about the deployment's secret, by which all prefixes are named. A store that has lost its
//! data would be given another secret by the next process that starts: then replicas name prefixes differently, and send other forms.

use std::sync::Arc;
use std::time::Duration;

use headroom_shared::store::SecretCheck;
use tokio_util::sync::CancellationToken;

use crate::app::App;

/// How often the store is asked for the secret.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Checks the secret again and again until `stop`.
pub(crate) async fn check_until(app: Arc<App>, stop: CancellationToken) {
    let next = || stop.run_until_cancelled(tokio::time::sleep(CHECK_INTERVAL));
    while next().await.is_some() {
        check(&app).await;
    }
}

async fn check(app: &App) {
    let Some(own) = app.known_key() else {
        return;
    };
    match app.records.store().check_secret(&own).await {
        Ok(SecretCheck::Same) => {}
        Ok(SecretCheck::Restored) => {
            let entries = app.records.write_back().await;
            tracing::warn!(
                entries,
                "the store has lost its data: the deployment's secret, and what is known here of sessions, were written back"
            );
        }
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
