//! [`Deadline`]: the moment at which the compressors give a text up.

use std::time::{Duration, Instant};

/// How many items of a loop are worked on between two looks at the clock: with lines of ordinary length less than a millisecond.
const ITEMS_A_LOOK: u32 = 1024;

/// The moment at which compression is given up. The compressors' loops look at it, and what they have made by then is thrown away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// No deadline.
    pub const NEVER: Self = Self(None);

    /// This moment.
    #[must_use]
    pub const fn at(moment: Instant) -> Self {
        Self(Some(moment))
    }

    /// So much time from now.
    #[must_use]
    pub fn after(time: Duration) -> Self {
        Self(Instant::now().checked_add(time))
    }

    /// Whether it is over. Once it is, it stays so.
    #[must_use]
    pub fn is_over(self) -> bool {
        self.0.is_some_and(|moment| Instant::now() >= moment)
    }

    /// The items of an iterator, which end early when this is over. To be used only where the result is thrown away then.
    pub(super) fn limit<I: IntoIterator>(self, items: I) -> impl Iterator<Item = I::Item> {
        let mut until_look = ITEMS_A_LOOK;
        items.into_iter().take_while(move |_| {
            until_look -= 1;
            if until_look > 0 {
                return true;
            }
            until_look = ITEMS_A_LOOK;
            !self.is_over()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_ends_at_the_first_look_after_it() {
        let over = Deadline::after(Duration::ZERO);
        assert!(over.is_over() && !Deadline::NEVER.is_over());
        assert_eq!(over.limit(0..100_000).count(), 1023);
        let later = Deadline::after(Duration::from_secs(3600));
        assert_eq!(later.limit(0..100_000).count(), 100_000);
        assert_eq!(Deadline::NEVER.limit(0..100_000).count(), 100_000);
    }
}
