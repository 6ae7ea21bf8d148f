//! [`Turns`]: how many texts are read and searched at the same time, in all and for one client.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::arguments::Part;

/// How many texts are read and searched at the same time. Each may be as large as a request's body before it is known how much memory it
/// takes.
const AT_ONCE: usize = 4;

/// How many texts are searched at the same time for one client, because a search may take seconds: others have their turns beside it.
const SEARCHES_OF_A_CLIENT: usize = 2;

/// The address that a request comes from, where it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Client(pub(crate) Option<IpAddr>);

/// The turns of all requests.
#[derive(Debug)]
pub(super) struct Turns {
    all: Arc<Semaphore>,
    /// Those of the clients that have one or wait for one.
    searches: Mutex<HashMap<Client, Weak<Semaphore>>>,
}

/// The turn of one request, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _of_client: Option<OwnedSemaphorePermit>,
    _of_all: Option<OwnedSemaphorePermit>,
}

impl Turns {
    pub(super) fn new() -> Self {
        Self {
            all: Arc::new(Semaphore::new(AT_ONCE)),
            searches: Mutex::default(),
        }
    }

    /// Waits for the turn of a request for this part of a text.
    pub(super) async fn take(&self, client: Client, part: &Part) -> Turn {
        // The client's own first: who waits for that takes no turn from others. No semaphore is ever closed.
        let of_client = match part.pattern {
            Some(_) => self.searches_of(client).acquire_owned().await.ok(),
            None => None,
        };
        Turn {
            _of_client: of_client,
            _of_all: self.all.clone().acquire_owned().await.ok(),
        }
    }

    fn searches_of(&self, client: Client) -> Arc<Semaphore> {
        let mut searches = self.searches.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = searches.get(&client).and_then(Weak::upgrade) {
            return own;
        }
        searches.retain(|_, of_client| of_client.strong_count() > 0);
        let own = Arc::new(Semaphore::new(SEARCHES_OF_A_CLIENT));
        searches.insert(client, Arc::downgrade(&own));
        own
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use headroom_shared::contract::id::{BlockId, OriginalId};
    use serde_json::json;

    use super::super::arguments::Request;
    use super::*;

    #[test]
    fn the_searches_of_one_client_leave_turns_for_others() {
        let part = |pattern: Option<&str>| {
            let id = OriginalId::of(BlockId::from_bytes([1; 16])).to_string();
            let arguments = match pattern {
                Some(pattern) => json!({"id": id, "pattern": pattern}),
                None => json!({"id": id}),
            };
            Request::new(arguments.as_object().unwrap()).unwrap().part
        };
        let (search, whole) = (part(Some("a")), part(None));
        let (client, other) = (Client(None), Client(Some([10, 0, 0, 1].into())));
        let turns = Turns::new();
        let mut taken = Vec::new();
        for (client, part, expected) in [
            (client, &search, true),
            (client, &search, true),
            (client, &search, false),
            (client, &whole, true),
            (other, &search, true),
            (other, &whole, false),
        ] {
            let turn = turns.take(client, part).now_or_never();
            assert_eq!(turn.is_some(), expected, "{client:?} {part:?}");
            taken.extend(turn);
        }
        taken.remove(0);
        assert!(turns.take(client, &search).now_or_never().is_some());
        taken.clear();
        assert!(turns.take(other, &search).now_or_never().is_some());
        assert_eq!(
            turns.searches.lock().unwrap().len(),
            1,
            "who has none is forgotten"
        );
    }
}
