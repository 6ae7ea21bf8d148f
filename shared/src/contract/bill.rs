//! What requests cost, and what they would have cost.

use serde::{Deserialize, Serialize};

/// What a request and its response cost, and what they would have cost had all blocks been sent in the original; the same of its
/// conversation up to it. In dollars, whole billionths, so that they are read from the store as they were written.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Bill {
    /// What it cost.
    pub usd: f64,
    /// What it would have cost in the originals.
    pub shadow_usd: f64,
    /// What the conversation cost so far, with this request.
    pub conversation_usd: f64,
    /// What it would have cost in the originals.
    pub conversation_shadow_usd: f64,
}

impl Bill {
    /// The bill of a request that cost this, and would have cost that, in a conversation whose last bill is `before`. `None` where a sum
    /// is not finite: prices are too large to be added.
    #[must_use]
    pub fn after(before: Option<Self>, usd: f64, shadow_usd: f64) -> Option<Self> {
        let before = before.unwrap_or_default();
        let bill = Self {
            usd: in_billionths(usd),
            shadow_usd: in_billionths(shadow_usd),
            conversation_usd: in_billionths(before.conversation_usd + usd),
            conversation_shadow_usd: in_billionths(before.conversation_shadow_usd + shadow_usd),
        };
        let sums = [bill.conversation_usd, bill.conversation_shadow_usd];
        sums.iter().all(|sum| sum.is_finite()).then_some(bill)
    }

    /// Of two bills of one prefix, the one that knows of more: a conversation's bill only grows.
    #[must_use]
    pub(super) fn later(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        let total = |bill: Self| bill.conversation_usd + bill.conversation_shadow_usd;
        match (one, other) {
            (Some(one), Some(other)) if total(other) > total(one) => Some(other),
            (one, other) => one.or(other),
        }
    }
}

fn in_billionths(usd: f64) -> f64 {
    (usd * 1e9).round() / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bills_of_a_conversation_add_up_and_are_read_as_written() {
        let first = Bill::after(None, 0.1, 0.3).unwrap();
        let second = Bill::after(Some(first), 0.2, 1.0 / 3.0).unwrap();
        assert_eq!(second.conversation_usd, 0.3);
        assert_eq!(second.conversation_shadow_usd, 0.633_333_333);
        let json = serde_json::to_string(&second).unwrap();
        assert_eq!(serde_json::from_str::<Bill>(&json).unwrap(), second);
        assert_eq!(Bill::after(Some(first), 1e308, 1.0), None);
        assert_eq!(Bill::later(Some(first), Some(second)), Some(second));
        assert_eq!(Bill::later(Some(second), Some(first)), Some(second));
        assert_eq!(Bill::later(None, Some(first)), Some(first));
    }
}
