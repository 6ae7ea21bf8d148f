//! Connections to custom upstreams: those that requests name in a header.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::Uri;

use super::connector::Connector;
use super::pool::Pool;

/// The pools of custom upstreams, by scheme and authority: base URLs that differ in their paths share one. Unused ones are dropped, because
/// there may be as many as ports of the hosts that are allowed.
#[derive(Debug)]
pub(super) struct CustomPools {
    connector: Connector,
    pools: Mutex<HashMap<Uri, Arc<Pool>>>,
}

impl CustomPools {
    pub(super) fn new(connector: Connector) -> Self {
        Self {
            connector,
            pools: Mutex::default(),
        }
    }

    /// The pool of connections to `origin`.
    pub(super) fn of(&self, origin: Uri) -> Arc<Pool> {
        let connector = &self.connector;
        let new = |origin: &Uri| Arc::new(Pool::new(connector.clone(), origin.clone()));
        let mut pools = self.pools();
        let pool = pools.entry(origin).or_insert_with_key(new);
        Arc::clone(pool)
    }

    /// Closes idle connections as [`Pool::sweep`] does.
    pub(super) fn sweep(&self) {
        self.pools().retain(|_, pool| {
            pool.sweep();
            Arc::strong_count(pool) > 1 || !pool.is_empty()
        });
    }

    fn pools(&self) -> MutexGuard<'_, HashMap<Uri, Arc<Pool>>> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
