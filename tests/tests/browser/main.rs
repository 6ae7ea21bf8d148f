//! The page in a real browser: headless Chromium, driven by Playwright. `scripts/browser` runs these, and installs both where it can; without
//! Chromium they are ignored.
//!
//! A script of each view keeps images in `target/page/`.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod view;

use headroom_tests::client::Client;
use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::page;
use headroom_tests::process::Launch;
use headroom_tests::stage::Stage;

use self::view::View;

/// A session that saves something: a file is read, and read again.
fn session(id: &str) -> Conversation {
    Conversation::new(Dialect::Messages, id)
        .user("Find out why the build fails.")
        .reads(1, 20_000)
        .reads(2, 30_000)
        .assistant("Let me look once more.")
        .reads(1, 20_000)
}

fn grown(conversation: Conversation, turn: usize) -> Conversation {
    conversation
        .assistant("And there.")
        .reads(turn + 2, 12_000)
        .reads(1, 20_000)
}

/// A stage on which two sessions have taken four turns each, and a dead letter lies in the queue.
async fn busy() -> Stage {
    let mut stage =
        Stage::with_redis(|launch| launch.patient().set("HEADROOM_SHOW_TEXT", "on")).await;
    stage.start_worker().await;
    for id in ["first", "second"] {
        let mut client = Client::new(session(id));
        client.turn(&stage).await;
        for turn in 1..4 {
            client.grow(|conversation| grown(conversation, turn));
            client.turn(&stage).await;
        }
    }
    let job = r#"{"v":99,"id":"01890000-0000-7000-8000-00000000dead","prefix":"00000000000000000000000000000001","model":"claude-opus-4-6","tokens":64000,"blocks":9,"bytes":200000,"enqueued_ms":1,"trace":"t"}"#;
    let _: u64 = stage
        .redis()
        .command(&["LPUSH", "headroom:jobs", job])
        .await;
    stage
        .until("the job to be buried", |stats| stats["queue"]["dead"] == 1)
        .await;
    stage
        .until("all requests to be billed", |stats| {
            stats["cost"]["requests"] == 8
        })
        .await;
    stage
}

#[tokio::test]
#[ignore = "needs Chromium: scripts/browser"]
async fn a_person_sees_what_is_saved_and_what_happened() {
    let stage = busy().await;
    let mut view = View::open("sees", &stage.addr(), "");
    view.until("sees a new turn").await;
    Client::new(session("third")).turn(&stage).await;
    view.ended().await;
}

#[tokio::test]
#[ignore = "needs Chromium: scripts/browser"]
async fn an_operator_drops_a_dead_letter_with_the_token() {
    let mut stage = busy().await;
    let (addr, token) = (stage.addr(), page::token(stage.proxy()));
    View::open("drops", &addr, &token).ended().await;
    let stats = stage.stats().await;
    assert_eq!(stats["queue"]["dead"], 0, "{stats}");
}

#[tokio::test]
#[ignore = "needs Chromium: scripts/browser"]
async fn it_fits_a_narrow_window_and_says_what_is_wrong() {
    let mut stage = busy().await;
    let mut view = View::open("narrow", &stage.addr(), "");
    view.until("sees that Redis is away").await;
    stage.redis.as_mut().unwrap().kill();
    view.go_on().await;
    view.until("sees that the proxy is away").await;
    stage.proxy().kill();
    view.ended().await;
}

#[tokio::test]
#[ignore = "needs Chromium: scripts/browser"]
async fn a_hostile_text_stays_a_text() {
    let stage = Stage::embedded(|launch: Launch| launch.set("HEADROOM_SHOW_TEXT", "on")).await;
    let hostile =
        "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>\n";
    let mut conversation = session("hostile").user(&hostile.repeat(100));
    conversation.model = "<i onmouseover=alert(1)>claude</i>".to_owned();
    Client::new(conversation).turn(&stage).await;
    View::open("hostile", &stage.addr(), "").ended().await;
}
