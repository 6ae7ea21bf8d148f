//! A connection to the store that is dropped in mid-read: the read is repeated, and what the other replica sent goes out again.

use std::time::Duration;

use headroom_tests::client::Client;
use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::tcp_proxy::Line;
use headroom_tests::wait::{DEADLINE, until};

use crate::replicas::site::Site;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_is_cut_off_changes_no_form() {
    let site = Site::start(Duration::from_secs(5)).await;
    let [first, other] = &site.replicas;
    for dialect in Dialect::ALL {
        let conversation = Conversation::new(dialect, "dropped").user("Read.");
        let mut client = Client::new(conversation.reads(1, 9000));
        let turn = client.send(&first.addr(), &site.provider).await;
        assert_eq!(turn.expect("it runs").decision, "compressed");

        client.grow(|it| it.assistant("Yes.").user("Go on."));
        // The other one knows the deployment's secret and has just used its connection: the first that is lost is a read's answer.
        let hello = Conversation::new(dialect, "hello").user("Hello.");
        let hello = Client::new(hello).send(&other.addr(), &site.provider).await;
        hello.expect("it runs");
        let before = site.redis.calls_of("mget").await;
        other.link.disturb_open(Line::Mute);
        let addr = other.addr();
        let cut = async {
            until("the read is under way", DEADLINE, async || {
                site.redis.calls_of("mget").await > before
            })
            .await;
            other.link.disturb_open(Line::Cut);
        };
        let (turn, ()) = tokio::join!(client.send(&addr, &site.provider), cut);
        let turn = turn.expect("it runs");
        client.check(&turn).expect("every block keeps its form");
        assert_eq!(turn.decision, "compressed");
        assert_eq!((client.forms.entered, client.forms.landed), (1, 0));
    }
    for replica in &site.replicas {
        assert_eq!(replica.store_misses().await, Some(0));
    }
}
