//! How long a request may wait for the store.

use std::time::{Duration, Instant};

use headroom_shared::store::StoreError;

use super::store_times::StoreTimes;

/// What remains of a request's time for the store.
#[derive(Debug)]
pub(crate) struct Budget {
    remaining: Duration,
    /// What a write may take besides: what the request has not spent of its other budgets.
    for_write: Duration,
    /// What reads and writes may take when that is spent: only where a wrong form would break the session.
    extra: Option<Duration>,
    times: StoreTimes,
}

impl Budget {
    pub(super) const fn new(remaining: Duration, times: StoreTimes) -> Self {
        Self {
            remaining,
            for_write: Duration::ZERO,
            extra: None,
            times,
        }
    }

    /// Lets a write take so much more.
    pub(crate) fn add_for_write(&mut self, time: Duration) {
        self.for_write += time;
    }

    /// Lets reads and writes take so much more, once.
    pub(super) fn extend(&mut self, extra: Duration) {
        self.extra.get_or_insert(extra);
    }

    /// Lets time pass where it was extended: `time`, or what remains. Gives whether it did.
    pub(super) async fn wait_extra(&mut self, time: Duration) -> bool {
        let Some(extra) = &mut self.extra else {
            return false;
        };
        let time = time.min(*extra);
        *extra -= time;
        tokio::time::sleep(time).await;
        true
    }

    /// Moves a quarter of it into a budget of its own.
    pub(super) fn take_quarter(&mut self) -> Self {
        let share = self.remaining / 4;
        self.remaining -= share;
        Self::new(share, self.times.clone())
    }

    /// Adds what another budget has not spent.
    pub(super) fn refund(&mut self, share: Self) {
        self.remaining += share.remaining;
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
        let began = Instant::now();
        let mut time = self.remaining + std::mem::take(&mut self.for_write);
        let within = time;
        let mut written = spend(&mut time, what, write(within)).await;
        self.remaining = self.remaining.min(time);
        if let (Err(_), Some(extra)) = (&written, &mut self.extra)
            && !extra.is_zero()
        {
            let within = *extra;
            written = spend(extra, what, wait(within)).await;
        }
        self.times.write.observe(began.elapsed().as_secs_f64());
        written
    }

    /// Reads with `ask`, and where that failed and the budget was extended, with `wait`, which asks until there is an answer.
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
        let began = Instant::now();
        let read = match self.extra.as_mut().filter(|_| self.remaining.is_zero()) {
            Some(extra) => spend(extra, what, wait()).await,
            None => {
                let read = spend(&mut self.remaining, what, ask).await;
                match (read, &mut self.extra) {
                    (Err(_), Some(extra)) if !extra.is_zero() => spend(extra, what, wait()).await,
                    (read, _) => read,
                }
            }
        };
        self.times.read.observe(began.elapsed().as_secs_f64());
        read
    }
}

/// Does `work` within what remains of a budget, and takes off what it took.
async fn spend<T>(
    remaining: &mut Duration,
    what: &'static str,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let began = Instant::now();
    let result = tokio::time::timeout(*remaining, work).await;
    let spent = began.elapsed();
    *remaining = remaining.saturating_sub(spent);
    result.unwrap_or_else(|_| Err(StoreError::timeout(what, spent)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: Duration = Duration::from_secs(60);
    const MORE: Duration = Duration::from_secs(600);

    #[tokio::test]
    async fn a_write_takes_what_other_budgets_have_left_and_a_read_does_not() {
        let mut budget = Budget::new(READ, StoreTimes::default());
        budget.add_for_write(MORE);
        let read = budget.read("reading", async { Ok(()) }, || async { Ok(()) });
        read.await.unwrap();
        assert!(budget.remaining <= READ);
        let mut given = Vec::new();
        for _ in 0..2 {
            let write = |within: Duration| {
                given.push(within);
                async { Ok(()) }
            };
            let written = budget.write("writing", write, |_| async { Ok(()) });
            written.await.unwrap();
        }
        // It is given once.
        assert!(given[0] > MORE && given[0] <= MORE + READ, "{given:?}");
        assert!(given[1] <= READ, "{given:?}");
    }
}
