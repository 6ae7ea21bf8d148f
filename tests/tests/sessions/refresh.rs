//! What there was no time for is compressed by a worker once the conversation has grown.

use headroom_tests::client::Client;
use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::process::Launch;
use headroom_tests::provider::Reply;
use headroom_tests::stage::Stage;
use headroom_tests::wait;

/// A proxy that compresses nothing itself, and leaves nothing to a worker when it first sees it.
fn without_time(launch: Launch) -> Launch {
    launch
        .patient()
        .set("HEADROOM_ENTRY_BUDGET_MS", 0)
        .set("HEADROOM_BACKGROUND_COMPRESSION_MIN_TOKENS", 10_000_000)
        .set("HEADROOM_REFRESH_TOKENS", 5000)
}

fn conversation(dialect: Dialect) -> Conversation {
    let conversation = Conversation::new(dialect, &format!("refresh-{dialect:?}"));
    conversation.user("Find the bug.").reads(0, 20_000)
}

#[tokio::test]
async fn what_there_was_no_time_for_is_compressed_once_the_conversation_has_grown() {
    let stage = Stage::embedded(without_time).await;
    stage.provider.cache(|cache| cache.turn_off());
    for (done, dialect) in (1..).zip(Dialect::ALL) {
        let mut client = Client::uncached(conversation(dialect));
        let first = client.turn(&stage).await;
        assert_eq!(first.got, first.sent.bytes);
        client.grow(|it| it.reads(1, 20_000).reads(2, 20_000));
        let grown = client.turn(&stage).await;
        assert_eq!(grown.got, grown.sent.bytes);
        stage.until_done(done).await;
        let later = client.until_compressed(&stage).await;
        assert_eq!(later.reason, "landed_uncached", "{dialect:?}");
        assert!(
            client.forms.landed >= 3,
            "{dialect:?}: {}",
            client.forms.landed
        );
    }
}

#[tokio::test]
async fn a_refresh_whose_request_is_refused_is_withdrawn() {
    let stage = Stage::with_redis(without_time).await;
    stage.provider.cache(|cache| cache.turn_off());
    let mut client = Client::uncached(conversation(Dialect::Messages));
    client.turn(&stage).await;
    let full = || stage.redis().settled_keys();
    let before = wait::eventually("what was accepted to have a full life", full).await;
    client.grow(|it| it.reads(1, 20_000).reads(2, 20_000));
    stage.provider.script(Reply::fixed(401, &[], "{}"));
    stage.exchange(&client.conversation.call()).await;
    let pushed = || async { (stage.stats().await["jobs"]["enqueued"] == 1).then_some(()) };
    wait::eventually("the refresh to be pushed", pushed).await;
    let withdrawn = || async {
        let lists = ["headroom:jobs", "headroom:jobs:refresh"];
        let mut waiting = 0;
        for list in lists {
            waiting += stage.redis().command::<u64>(&["LLEN", list]).await;
        }
        (waiting == 0).then_some(())
    };
    wait::eventually("the refresh to be withdrawn", withdrawn).await;
    stage.redis().until_request_keys_are(&before).await;
}
