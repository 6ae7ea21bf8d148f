//! How long a request may wait for the store.

use std::time::{Duration, Instant};

use headroom_shared::store::StoreError;

/// What is left of it.
#[derive(Debug)]
pub(crate) struct Budget {
    left: Duration,
    /// What reads and writes may take when that is spent; nothing unless a wrong form would break the session.
    more: Option<Duration>,
}

impl Budget {
    pub(super) const fn new(left: Duration) -> Self {
        Self { left, more: None }
    }

    /// Lets reads and writes take so much more, once.
    pub(super) fn extend(&mut self, more: Duration) {
        self.more.get_or_insert(more);
    }

    /// Writes with `write`, and where that failed and the budget was extended, with `wait`. Each is given the time it has.
    ///
    /// # Errors
    /// Those of the last of both, or a timeout.
    pub(super) async fn write<F, G>(
        &mut self,
        what: &'static str,
        write: impl FnOnce(Duration) -> F,
        wait: impl FnOnce(Duration) -> G,
    ) -> Result<(), StoreError>
    where
        F: Future<Output = Result<(), StoreError>>,
        G: Future<Output = Result<(), StoreError>>,
    {
        let within = self.left;
        match (
            spend(&mut self.left, what, write(within)).await,
            &mut self.more,
        ) {
            (Err(_), Some(more)) if !more.is_zero() => {
                let within = *more;
                spend(more, what, wait(within)).await
            }
            (written, _) => written,
        }
    }

    /// Takes a quarter of it for a budget of its own.
    pub(super) fn split_off_quarter(&mut self) -> Self {
        let share = self.left / 4;
        self.left -= share;
        Self::new(share)
    }

    /// Adds what another budget has left.
    pub(super) fn take_back(&mut self, share: Self) {
        self.left += share.left;
    }

    /// Reads with `ask`, and where that was in vain and the budget was extended, with `wait`, which asks until there is an answer.
    ///
    /// # Errors
    /// Those of the last of both, or a timeout.
    pub(crate) async fn read<T, F>(
        &mut self,
        what: &'static str,
        ask: impl Future<Output = Result<T, StoreError>>,
        wait: impl FnOnce() -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        if let Some(more) = self.more.as_mut().filter(|_| self.left.is_zero()) {
            return spend(more, what, wait()).await;
        }
        match (spend(&mut self.left, what, ask).await, &mut self.more) {
            (Err(_), Some(more)) if !more.is_zero() => spend(more, what, wait()).await,
            (answer, _) => answer,
        }
    }
}

async fn spend<T>(
    left: &mut Duration,
    what: &'static str,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let began = Instant::now();
    let result = tokio::time::timeout(*left, work).await;
    let spent = began.elapsed();
    *left = left.saturating_sub(spent);
    result.unwrap_or_else(|_| Err(StoreError::timeout(what, spent)))
}
