//! The elements that this worker holds, and those of claims whose reply was lost.
//!
//! Redis may move an element into this worker's list while the reply to that claim is lost. The heartbeat reads the list and finds such
//! an element. If no claim has returned it until the next heartbeat either, its reply is lost for good, and the worker adopts it.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::queue::Element;

/// The elements in this worker's list, as far as they are known.
#[derive(Debug, Default)]
pub(super) struct HeldElements {
    /// Claimed and not ended, each with how many more of the same bytes were claimed meanwhile.
    started: HashMap<Element, usize>,
    /// In the list at the last heartbeat, although no claim had returned them.
    unknown: HashSet<Element>,
    /// To be returned by the next claims.
    adopted: VecDeque<Element>,
}

impl HeldElements {
    /// The next element to work on that is in the list already.
    pub(super) fn next_adopted(&mut self) -> Option<Element> {
        self.adopted.pop_front()
    }

    /// Notes that work on an element begins; false if another one of the same bytes is in work, after which this one's turn comes.
    pub(super) fn start(&mut self, element: &Element) -> bool {
        self.unknown.remove(element);
        match self.started.get_mut(element) {
            Some(more) => *more += 1,
            None => drop(self.started.insert(element.clone(), 0)),
        }
        self.started[element] == 0
    }

    /// Puts an adopted element back that could not be returned to the caller.
    pub(super) fn return_adopted(&mut self, element: Element) {
        self.adopted.push_front(element);
    }

    /// Notes that this worker no longer holds an element.
    pub(super) fn end(&mut self, element: &Element) {
        let more = self.started.remove(element).unwrap_or(0);
        self.adopted
            .extend(std::iter::repeat_n(element.clone(), more));
    }

    /// Compares with what the list holds and returns the number of elements adopted.
    pub(super) fn reconcile(&mut self, listed: Vec<Element>) -> usize {
        let unknown: HashSet<Element> = listed
            .into_iter()
            .filter(|element| {
                !self.started.contains_key(element) && !self.adopted.contains(element)
            })
            .collect();
        let (adopted, unknown): (Vec<_>, _) = unknown
            .into_iter()
            .partition(|element| self.unknown.contains(element));
        self.unknown = unknown.into_iter().collect();
        let count = adopted.len();
        self.adopted.extend(adopted);
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
        let mut held = HeldElements::default();
        assert!(held.start(&element("known")));
        let listed = || vec![element("known"), element("unseen")];
        assert_eq!(held.reconcile(listed()), 0);
        assert_eq!(held.reconcile(listed()), 1);
        assert_eq!(held.reconcile(listed()), 0);
        assert_eq!(held.next_adopted(), Some(element("unseen")));
        assert!(held.start(&element("unseen")));
        assert_eq!(held.reconcile(listed()) + held.reconcile(listed()), 0);
    }

    #[test]
    fn elements_of_the_same_bytes_come_one_after_the_other() {
        let mut held = HeldElements::default();
        assert!(held.start(&element("same")));
        assert!(!held.start(&element("same")));
        assert_eq!(held.next_adopted(), None);
        held.end(&element("same"));
        let next = held.next_adopted().unwrap();
        assert!(held.start(&next));
        held.end(&next);
        assert_eq!(held.next_adopted(), None);
    }

    #[test]
    fn an_element_that_was_only_slow_is_not_adopted() {
        let mut held = HeldElements::default();
        assert_eq!(held.reconcile(vec![element("slow")]), 0);
        assert!(held.start(&element("slow")));
        assert_eq!(held.reconcile(vec![element("slow")]), 0);
        held.end(&element("slow"));
        assert_eq!(held.reconcile(vec![]), 0);
        assert_eq!(held.next_adopted(), None);
    }
}
