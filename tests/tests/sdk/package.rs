//! One SDK, and what must hold of each alike.

use headroom_tests::process::Launch;
use headroom_tests::provider::Reply;
use headroom_tests::stage::Stage;
use serde_json::Value;

use crate::script::{self, Ran};
use crate::{NOWHERE, TRIES, broken, error, fail_twice_each_time, patient};

/// An SDK.
#[derive(Debug)]
pub(crate) struct Package {
    /// The script that drives it.
    pub(crate) script: &'static str,
    /// The proxy's setting for its provider.
    pub(crate) own: &'static str,
    /// The same of the other provider.
    pub(crate) other: &'static str,
    /// The header in which its provider says how much may still be asked.
    pub(crate) remaining: &'static str,
}

impl Package {
    /// A proxy for which there is no other provider.
    pub(crate) async fn stage(&self) -> Stage {
        self.stage_with(|launch| launch).await
    }

    /// The same with these settings.
    pub(crate) async fn stage_with(&self, set: impl FnOnce(Launch) -> Launch) -> Stage {
        Stage::embedded(|launch| set(patient(launch).set(self.other, NOWHERE))).await
    }

    /// Runs one scenario.
    pub(crate) async fn run(&self, stage: &Stage, scenario: &str) -> Ran {
        script::run(stage, self.script, &[scenario]).await
    }

    /// Runs scenarios of which the provider gets every request as it was sent.
    pub(crate) async fn run_untouched(&self, scenarios: &[&str]) {
        let stage = self.stage().await;
        script::run(&stage, self.script, scenarios)
            .await
            .untouched();
    }

    /// A stream that is refused, one that breaks with an event, and one that begins with this and breaks off.
    pub(crate) async fn errors_of_streams(
        &self,
        (status, overloaded): (u16, &Value),
        begins: &'static str,
    ) {
        let stage = self.stage().await;
        let refused = error(status, self.remaining, overloaded);
        stage.provider.script(refused);
        let event = format!("event: error\ndata: {overloaded}\n\n");
        let kind = [("content-type", "text/event-stream")];
        stage.provider.script(Reply::fixed(200, &kind, event));
        let breaks = broken(&stage, begins);
        let (ran, ()) = tokio::join!(self.run(&stage, "stream_errors"), breaks);
        ran.untouched();
    }

    /// Errors that the proxy itself answers with.
    pub(crate) async fn errors_of_the_proxy(&self) {
        let small = |it: Launch| it.set("HEADROOM_MAX_BODY_BYTES", 20_000);
        let stage = self.stage_with(small).await;
        assert!(self.run(&stage, "own_errors").await.got.is_empty());
        let away = |it: Launch| it.set(self.own, NOWHERE);
        let stage = self.stage_with(away).await;
        assert!(self.run(&stage, "provider_away").await.got.is_empty());
    }

    /// Tries that fail by status and by connection, until one succeeds.
    pub(crate) async fn retries(&self, overloaded: u16) {
        let stage = self.stage().await;
        fail_twice_each_time(&stage, overloaded);
        let ran = self.run(&stage, "retries").await;
        assert_eq!(ran.tries(), TRIES);
        ran.each_once().untouched();
    }
}
