//! A stop: what it waits for is said, for how long can be set, and a second signal ends at once.

use std::time::{Duration, Instant};

use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::process::Launch;
use headroom_tests::provider::Reply;
use headroom_tests::stage::Stage;
use headroom_tests::wait;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// Sooner than any drain time is over.
const AT_ONCE: Duration = Duration::from_secs(10);

/// A proxy with so many requests whose answers are late, and what lets them go.
async fn busy(
    requests: usize,
    set: impl FnOnce(Launch) -> Launch,
) -> (Stage, JoinSet<bool>, Vec<oneshot::Sender<()>>) {
    let stage = Stage::embedded(set).await;
    let (mut asked, mut go) = (JoinSet::new(), Vec::new());
    for number in 0..requests {
        let (answer, when) = oneshot::channel();
        stage.provider.script(Reply::Late(when));
        go.push(answer);
        let (call, addr) = (
            Conversation::new(Dialect::Messages, &format!("late {number}"))
                .user("hi")
                .call(),
            stage.addr(),
        );
        asked.spawn(async move {
            match call.try_send(&addr).await.ok() {
                Some(answer) => answer.status() == 200 && answer.try_bytes().await.is_ok(),
                None => false,
            }
        });
        stage.provider.next().await;
    }
    (stage, asked, go)
}

async fn says(stage: &mut Stage, line: &str) {
    stage.proxy().logged(line, 1).await;
}

#[tokio::test]
async fn a_stop_waits_for_what_is_on_its_way_and_says_so() {
    let (mut stage, mut asked, go) = busy(3, |launch| launch).await;
    stage.proxy().signal("TERM");
    let line = "draining: 3 streams, up to 60 s; again to end now";
    says(&mut stage, line).await;
    assert!(!stage.proxy().has_ended());
    for answer in go {
        answer.send(()).unwrap();
    }
    while let Some(whole) = asked.join_next().await {
        assert!(whole.unwrap());
    }
    assert!(stage.proxy().ended(wait::DEADLINE).await.success());
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let (mut stage, mut asked, _go) = busy(1, |launch| launch).await;
    stage.proxy().signal("INT");
    says(&mut stage, "draining: 1 streams").await;
    stage.proxy().signal("TERM");
    let told = Instant::now();
    let ended = stage.proxy().ended(AT_ONCE).await;
    assert_eq!(ended.code(), Some(1), "{:?}", told.elapsed());
    let log = stage.proxy().log();
    assert!(log.contains("ended at once by a second signal"), "{log}");
    assert!(!asked.join_next().await.unwrap().unwrap());
}

#[tokio::test]
async fn the_time_is_a_setting() {
    for seconds in [0, 1] {
        let set = |launch: Launch| launch.set("HEADROOM_DRAIN_SECONDS", seconds);
        let (mut stage, _asked, _go) = busy(1, set).await;
        let status = stage.proxy().terminate(AT_ONCE).await;
        assert!(status.success());
        let log = stage.proxy().log();
        let line = format!("draining: 1 streams, up to {seconds} s");
        assert!(log.contains(&line), "{log}");
        assert!(log.contains("are cut off"), "{log}");
    }
}
