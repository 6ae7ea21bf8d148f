//! One session: its turns, and what is checked of each.

use std::collections::VecDeque;
use std::sync::Arc;

use headroom_tests::client::{Client, Gone, Turn};
use headroom_tests::forms::Allowed;
use headroom_tests::store_link::State;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::play::{Play, Source};
use crate::rule::{Circumstances, Losses};
use crate::site::{Replica, Site};
use crate::tally::{Changes, Check, Tally};

/// How many replicas a client tries before it gives a turn up: one is killed at a time.
const ATTEMPTS: usize = 4;
/// How many turns a violation tells of.
const HISTORY: usize = 8;

/// A session.
#[derive(Debug)]
pub(crate) struct Session {
    client: Client,
    play: Play,
    site: Arc<Site>,
    tally: Arc<Tally>,
    losses: Losses,
    /// It runs on the proxy with the small disk, and nowhere else.
    small_disk: bool,
    /// The last turns, for the message of a violation.
    history: VecDeque<String>,
}

/// What a turn must not be worse than.
#[derive(Debug, Clone, Copy)]
struct Begun {
    link: State,
    kills: u64,
    losses: u64,
}

/// Why a session ends before its time.
#[derive(Debug)]
struct Violation(Check, String);

impl Session {
    /// The session with this number.
    pub(crate) fn begin(
        source: &Source,
        (number, seed): (usize, u64),
        site: &Arc<Site>,
        tally: &Arc<Tally>,
    ) -> Self {
        let (conversation, play) = source.session(number, seed);
        Self {
            client: Client::new(conversation),
            play,
            site: Arc::clone(site),
            tally: Arc::clone(tally),
            losses: Losses::before(site.losses()),
            small_disk: false,
            history: VecDeque::new(),
        }
    }

    /// The same on the proxy with the small disk.
    pub(crate) fn on_small_disk(mut self) -> Self {
        self.small_disk = true;
        self
    }

    /// Takes turn after turn, until its recording ends or it is told to stop.
    pub(crate) async fn run(mut self, over: CancellationToken) {
        while self.play.grow(&mut self.client.conversation) {
            if let Err(Violation(check, what)) = self.turn().await {
                let turns = Vec::from(std::mem::take(&mut self.history)).join("\n  ");
                self.tally.violation(check, &format!("{what}\n  {turns}"));
                break;
            }
            let told = timeout(self.play.pause(), over.cancelled()).await;
            if told.is_ok() {
                break;
            }
        }
        self.tally.session();
    }

    async fn turn(&mut self) -> Result<(), Violation> {
        let site = Arc::clone(&self.site);
        let first = self.play.replica(site.replicas.len());
        for attempt in 0..ATTEMPTS {
            let replica = match &site.small {
                Some(small) if self.small_disk => small,
                _ => &site.replicas[(first + attempt) % site.replicas.len()],
            };
            let begun = Begun {
                link: replica.link.state(),
                kills: replica.process.kills(),
                losses: site.losses(),
            };
            match self
                .client
                .send(&replica.process.addr, &site.provider)
                .await
            {
                Ok(turn) => return self.check(&turn, replica, begun).await,
                Err(gone) => self.gone(&gone, replica, begun).await?,
            }
        }
        let id = &self.client.conversation.id;
        Err(Violation(
            Check::Requests,
            format!("{id}: no replica answers"),
        ))
    }

    /// Checks a turn that was answered.
    async fn check(
        &mut self,
        turn: &Turn,
        replica: &Replica,
        begun: Begun,
    ) -> Result<(), Violation> {
        if self.site.provider.arrived(&turn.id).is_some() {
            let what = format!("{}: the provider got it twice", turn.id);
            return Err(Violation(Check::Requests, what));
        }
        self.client.allowed = self.allowed(replica, begun).await;
        let before = Changes::of(&self.client.forms);
        let checked = self.client.check(turn);
        let changes = Changes::of(&self.client.forms).since(before);
        self.note(turn, replica, changes);
        self.tally.turn(&turn.decision, changes);
        let named = |what: String| format!("through {}: {what}", replica.process.name);
        checked.map_err(|what| Violation(self.forms(), named(what)))?;
        if changes.bound_originals > 0 {
            let what = named(format!(
                "{} ({}): {} blocks before bound thinking went out in the original",
                turn.id, turn.decision, changes.bound_originals
            ));
            return Err(Violation(Check::BoundThinking, what));
        }
        Ok(())
    }

    /// The connection broke before the request was answered: that is so if the replica was killed, and the client sends it
    /// again. The provider may have got the first one.
    async fn gone(
        &mut self,
        gone: &Gone,
        replica: &Replica,
        begun: Begun,
    ) -> Result<(), Violation> {
        if !replica.process.killed_since(begun.kills) {
            let name = &replica.process.name;
            let what = format!("{}: no response, and nobody has killed {name}", gone.id);
            return Err(Violation(Check::Requests, what));
        }
        self.tally.gone(&gone.id);
        sleep(self.play.pause_before_retry()).await;
        let Some(first) = self.site.provider.arrived(&gone.id) else {
            return Ok(());
        };
        self.client.allowed = self.allowed(replica, begun).await;
        let observed = self.client.observe(&gone.sent, &first.body);
        observed.map_err(|what| Violation(self.forms(), format!("{}, cut off: {what}", gone.id)))
    }

    fn note(&mut self, turn: &Turn, replica: &Replica, changes: Changes) {
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        let seconds = self.tally.seconds();
        let store = if self.client.allowed.originals {
            "in doubt"
        } else {
            "there"
        };
        let (id, name, decision) = (&turn.id, &replica.process.name, &turn.decision);
        let blocks = turn.sent.blocks.last().map_or(0, |block| block.message);
        self.history.push_back(format!(
            "{id} through {name} until {seconds:.1} s (store {store}): {decision}, last block in message {blocks}; {changes}"
        ));
    }

    /// What a block violates that changes its form.
    fn forms(&self) -> Check {
        if self.losses.met {
            Check::FormsAfterLoss
        } else {
            Check::Forms
        }
    }

    async fn allowed(&mut self, replica: &Replica, begun: Begun) -> Allowed {
        let calm = replica.link.calm_since(begun.link);
        let addr = &replica.process.addr;
        let circumstances = Circumstances {
            may_be_cached: self.play.may_be_cached,
            store_in_doubt: !calm || replica.link.late_since(begun.link, addr).await,
            first_after_loss: self.losses.first_after(begun.losses, self.site.losses()),
        };
        circumstances.allowed()
    }
}
