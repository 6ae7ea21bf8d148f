//! One session: its client, where each turn goes, and what is checked of it.

use std::sync::Arc;

use bytes::Bytes;
use headroom_proxy::prices::Rates;
use headroom_proxy::simulation::prompt_cache::PromptCache;
use headroom_tests::client::{Client, Gone, Turn};
use headroom_tests::forms::Allowed;
use tokio_util::sync::CancellationToken;

use crate::replicas::plan::{Plan, Step};
use crate::replicas::site::{Replica, Site};
use crate::replicas::tally::Tally;

/// A session.
#[derive(Debug)]
pub(crate) struct Session {
    client: Client,
    plan: Plan,
    site: Arc<Site>,
    tally: Arc<Tally>,
    /// What became of each turn, for the message of a failure.
    history: Vec<String>,
    /// What the provider got last, if the replica that sent it can have told the store.
    last: Option<Bytes>,
    /// Two accounts at a provider that caches: one gets what the proxies send, the other what the client sends.
    sent: PromptCache,
    direct: PromptCache,
    /// What the two have paid.
    bills: [f64; 2],
}

impl Session {
    pub(crate) fn begin(plan: Plan, site: &Arc<Site>, tally: &Arc<Tally>) -> Self {
        let mut client = Client::new(plan.begin());
        client.allowed = Allowed {
            landing: !client.conversation.marked,
            originals: true,
            ..Allowed::default()
        };
        Self {
            client,
            plan,
            site: Arc::clone(site),
            tally: Arc::clone(tally),
            history: Vec::new(),
            last: None,
            sent: PromptCache::default(),
            direct: PromptCache::default(),
            bills: [0.0; 2],
        }
    }

    /// Takes turn after turn, the last one when there are `enough`.
    pub(crate) async fn go_on(mut self, enough: CancellationToken) -> Self {
        while !enough.is_cancelled() {
            self.next_turn().await;
        }
        self
    }

    /// Takes some turns.
    pub(crate) async fn take(mut self, turns: usize) -> Self {
        for _ in 0..turns {
            self.next_turn().await;
        }
        self
    }

    async fn next_turn(&mut self) {
        let step = self.think().await;
        self.client.grow(|it| step.grow(it));
        let site = Arc::clone(&self.site);
        if let Err(gone) = self.turn(&site.replicas[step.replica]).await {
            self.again(gone, &site.replicas[1 - step.replica]).await;
        }
    }

    /// Sends the conversation to a replica that only the store can tell of it: as it was, where the store was told, and then with
    /// what comes next.
    pub(crate) async fn go_over(mut self, replica: &Replica) -> Self {
        let step = self.think().await;
        if let Some(before) = self.last.take() {
            let landed = self.client.forms.landed;
            self.turn(replica).await.expect("it runs");
            if let Some(after) = &self.last {
                assert!(
                    *after == before || self.client.forms.landed > landed,
                    "another replica sends other bytes\n{}",
                    self.history.join("\n")
                );
                self.tally.repeated();
            }
        }
        self.client.grow(|it| step.grow(it));
        self.turn(replica).await.expect("it runs");
        self
    }

    /// Takes the time that the next turn takes before it.
    async fn think(&mut self) -> Step {
        let step = self.plan.step(self.client.conversation.dialect);
        tokio::time::sleep(step.think).await;
        step
    }

    async fn turn(&mut self, replica: &Replica) -> Result<(), Gone> {
        let state = replica.link.state();
        let turn = self
            .client
            .send(&replica.addr(), &self.site.provider)
            .await?;
        let calm = replica.link.calm_since(state);
        let without_store = !calm || replica.link.late_since(state, &replica.addr()).await;
        let store = if without_store { "in doubt" } else { "there" };
        let (id, at) = (&turn.id, replica.addr());
        self.history.push(format!(
            "{id} through {at} (store {store}): {}",
            turn.decision
        ));
        let originals = self.client.forms.originals;
        let checked = self.client.check(&turn);
        if let Err(error) = checked {
            panic!("{error}\n{}", self.history.join("\n"));
        }
        assert!(
            without_store || self.client.forms.originals == originals,
            "{id}: an original again, though the store was there\n{}",
            self.history.join("\n")
        );
        self.last = (!without_store).then(|| turn.got.clone());
        self.note(&turn, calm);
        Ok(())
    }

    /// The replica was killed under a request, which may have reached the provider all the same: another one takes it.
    async fn again(&mut self, gone: Gone, other: &Replica) {
        self.turn(other).await.expect("the other replica goes on");
        self.tally.again();
        if let Some(first) = self.site.provider.arrived(&gone.id) {
            // No replica knows of it if it was killed before it had told the store.
            if let Err(error) = self.client.observe(&gone.sent, &first.body) {
                panic!("{}, cut off: {error}", gone.id);
            }
        }
    }

    fn note(&mut self, turn: &Turn, calm: bool) {
        let path = self.client.conversation.dialect.path();
        self.bills[0] += Rates::RATIOS.cost(self.sent.serve(path, &turn.got));
        self.bills[1] += Rates::RATIOS.cost(self.direct.serve(path, &turn.sent.bytes));
        self.tally.turn(turn, calm);
    }

    /// Tells the tally what became of its blocks, and what it cost.
    pub(crate) fn end(self) {
        self.tally.session(&self.client.forms, self.bills);
    }
}
