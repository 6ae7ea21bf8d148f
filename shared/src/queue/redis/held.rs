//! What this worker knows that it holds, and what it holds without knowing.
//!
//! Redis may move an element into this worker's list while the answer to that move is lost. Such an element is seen by the
//! heartbeat; when it is still unknown at the next one, no answer is on its way any more and it is adopted.

use std::collections::{HashSet, VecDeque};

use crate::queue::Element;

#[derive(Debug, Default)]
pub(super) struct Held {
    /// Claimed and not settled.
    in_work: HashSet<Element>,
    /// Unknown at the last heartbeat.
    suspects: HashSet<Element>,
    /// To be claimed before anything else.
    found: VecDeque<Element>,
}

impl Held {
    /// The next element to take up that is in the list already.
    pub(super) fn next_found(&mut self) -> Option<Element> {
        self.found.pop_front()
    }

    /// Notes that an element is being worked on; false if it is so already.
    pub(super) fn take(&mut self, element: &Element) -> bool {
        self.suspects.remove(element);
        self.in_work.insert(element.clone())
    }

    /// Notes that an element could not be taken up just now.
    pub(super) fn put_off(&mut self, element: Element) {
        self.in_work.remove(&element);
        self.found.push_front(element);
    }

    /// Notes that an element is settled.
    pub(super) fn settle(&mut self, element: &Element) {
        self.in_work.remove(element);
    }

    /// Compares with what the list holds and gives the number of elements adopted.
    pub(super) fn compare(&mut self, listed: Vec<Element>) -> usize {
        let unknown: HashSet<Element> = listed
            .into_iter()
            .filter(|element| !self.in_work.contains(element) && !self.found.contains(element))
            .collect();
        let (adopted, suspects): (Vec<_>, _) = unknown
            .into_iter()
            .partition(|element| self.suspects.contains(element));
        self.suspects = suspects.into_iter().collect();
        let count = adopted.len();
        self.found.extend(adopted);
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(name: &'static str) -> Element {
        Element::new(name.as_bytes().into())
    }

    #[test]
    fn an_element_unknown_for_two_beats_is_adopted_once() {
        let mut held = Held::default();
        assert!(held.take(&element("known")));
        let listed = || vec![element("known"), element("unseen")];
        assert_eq!(held.compare(listed()), 0);
        assert_eq!(held.compare(listed()), 1);
        assert_eq!(held.compare(listed()), 0);
        assert_eq!(held.next_found(), Some(element("unseen")));
        assert!(held.take(&element("unseen")));
        assert_eq!(held.compare(listed()) + held.compare(listed()), 0);
    }

    #[test]
    fn an_element_that_was_only_slow_is_not_adopted() {
        let mut held = Held::default();
        assert_eq!(held.compare(vec![element("slow")]), 0);
        assert!(held.take(&element("slow")));
        assert!(!held.take(&element("slow")));
        assert_eq!(held.compare(vec![element("slow")]), 0);
        held.settle(&element("slow"));
        assert_eq!(held.compare(vec![]), 0);
        assert_eq!(held.next_found(), None);
    }
}
