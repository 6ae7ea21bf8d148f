//! The store loses all its data in the middle of sessions that go through several replicas. Each replica writes back what it knows, so that
//! the next replica sends what the last one sent.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use headroom_tests::client::Client;
use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::process::{Launch, Process};
use headroom_tests::random::Random;
use headroom_tests::stage::Stage;

const REPLICAS: usize = 3;
const SESSIONS: usize = 6;
/// How often the data are lost, and how many turns each session takes in between.
const LOSSES: usize = 3;
const TURNS: usize = 3;

/// Sessions of both kinds: on a model that binds its thinking and on one that does not.
fn session(number: usize) -> Client {
    let conversation = Conversation::new(Dialect::Messages, &format!("lost-data-{number}"));
    let mut client = Client::new(conversation.user("Read.").reads(number, 9000));
    let model = if binds(number) {
        "claude-opus-5-5"
    } else {
        "claude-opus-4-6"
    };
    model.clone_into(&mut client.conversation.model);
    client
}

const fn binds(number: usize) -> bool {
    number.is_multiple_of(2)
}

async fn replicas(stage: &Stage) -> Vec<Process> {
    let mut replicas = Vec::new();
    for _ in 0..REPLICAS {
        let launch = Launch::proxy(&stage.provider)
            .set("HEADROOM_REDIS_URL", stage.redis().url())
            .patient()
            .set("HEADROOM_BOUND_STORE_BUDGET_MS", 20_000);
        replicas.push(launch.start().await);
    }
    replicas
}

async fn turn(client: &mut Client, stage: &Stage, replica: &Process) {
    let turn = client.send(&replica.addr(), &stage.provider).await;
    if let Err(error) = client.check(&turn.expect("an answer")) {
        panic!("through {}: {error}", replica.addr());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_form_changes_after_the_first_turn_and_none_before_bound_thinking() {
    let mut random = Random::seeded();
    let stage = Stage::with_redis(|launch| launch).await;
    let replicas = replicas(&stage).await;
    let mut clients: Vec<Client> = (0..SESSIONS).map(session).collect();
    for loss in 0..=LOSSES {
        if loss > 0 {
            let () = stage.redis().command(&["FLUSHALL"]).await;
        }
        for turn_after in 0..TURNS {
            for (number, client) in clients.iter_mut().enumerate() {
                client.allowed.loss = loss > 0 && turn_after == 0 && !binds(number);
                turn(client, &stage, &replicas[random.below(REPLICAS)]).await;
                let seed = random.below(1_000_000);
                client.grow(|it| it.thinking("Hm.").reads(seed, 9000));
            }
        }
    }
    let entered: usize = clients.iter().map(|client| client.forms.entered).sum();
    assert!(
        entered > SESSIONS * LOSSES,
        "{entered} blocks were compressed"
    );
    let bound_lost: usize = clients.iter().map(|client| client.forms.bound_lost).sum();
    assert_eq!(bound_lost, 0);
}

/// What a replica alone knew is there for one that starts later.
#[tokio::test]
async fn every_replica_writes_back_what_it_knows() {
    let stage = Stage::with_redis(|launch| launch).await;
    let replicas = replicas(&stage).await;
    let mut clients: Vec<Client> = (0..REPLICAS).map(session).collect();
    for (client, replica) in clients.iter_mut().zip(&replicas) {
        turn(client, &stage, replica).await;
        assert_eq!(client.forms.entered, 1);
        client.grow(|it| it.thinking("Hm.").user("Go on."));
    }
    stage.until_settled(REPLICAS).await;
    let () = stage.redis().command(&["FLUSHALL"]).await;
    for replica in &replicas {
        replica.logged("was written back", 1).await;
    }
    for process in replicas {
        drop(process);
    }
    let last = &self::replicas(&stage).await[0];
    for client in &mut clients {
        turn(client, &stage, last).await;
    }
}
