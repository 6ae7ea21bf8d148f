//! A new form that is too slow on its way to the store: the request goes out in the original, and so it stays, whoever serves
//! the next one.

use std::time::Duration;

use headroom_tests::audit;
use headroom_tests::client::{Client, Turn};
use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::tcp_proxy::Line;

use crate::replicas::site::{Replica, Site};

const STORE_BUDGET: Duration = Duration::from_secs(1);
/// So slow that a request hears the store's answer to its first call within the budget and not that to its second.
const SLOW: Line = Line::Slow(Duration::from_millis(300));

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_given_up_is_taken_up_by_nobody() {
    let site = Site::start(STORE_BUDGET).await;
    let [slow, good] = &site.replicas;
    let mut client = Client::new(Conversation::new(Dialect::Messages, "late").user("Read."));
    turn(&mut client, &site, slow).await;
    client.grow(|it| it.reads(1, 9000));
    slow.link.disturb(SLOW);
    assert!(originals(&turn(&mut client, &site, slow).await));
    for step in ["one", "two", "three", "four"] {
        let words = format!("Go on with step {step}.");
        client.grow(|it| it.assistant("Yes.").user(&words));
        let replica = if step == "three" { slow } else { good };
        let turn = turn(&mut client, &site, replica).await;
        assert!(originals(&turn), "{step}");
        if step == "one" {
            slow.mend().await;
        }
    }
}

async fn turn(client: &mut Client, site: &Site, replica: &Replica) -> Turn {
    let turn = client.send(&replica.addr(), &site.provider).await;
    turn.expect("it runs")
}

/// Whether the provider got every block in the original.
fn originals(turn: &Turn) -> bool {
    let texts = audit::texts(&turn.sent, &turn.got).expect("the client's bytes");
    let mut blocks = turn.sent.blocks.iter().zip(texts);
    blocks.all(|(block, text)| text == audit::original(&turn.sent, block))
}
