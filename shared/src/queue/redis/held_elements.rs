//! What this worker knows that it holds, and what it holds without knowing.
//!
//! Redis may move an element into this worker's list while the answer to that move is lost. Such an element is seen by the
//! heartbeat; when it is still unknown at the next one, no answer is on its way any more and it is adopted.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::queue::Element;

#[derive(Debug, Default)]
pub(super) struct HeldElements {
    /// Claimed and not settled, with how many more of the same bytes came meanwhile.
    in_work: HashMap<Element, usize>,
    /// Unknown at the last heartbeat.
    suspects: HashSet<Element>,
    /// To be claimed before anything else.
    adopted: VecDeque<Element>,
}

impl HeldElements {
    /// The next element to take up that is in the list already.
    pub(super) fn next_adopted(&mut self) -> Option<Element> {
        self.adopted.pop_front()
    }

    /// Notes that an element is being worked on; false if one of the same bytes is, after which this one's turn comes.
    pub(super) fn start(&mut self, element: &Element) -> bool {
        self.suspects.remove(element);
        match self.in_work.get_mut(element) {
            Some(more) => *more += 1,
            None => drop(self.in_work.insert(element.clone(), 0)),
        }
        self.in_work[element] == 0
    }

    /// Notes that an element that was found could not be taken along.
    pub(super) fn return_adopted(&mut self, element: Element) {
        self.adopted.push_front(element);
    }

    /// Notes that an element is settled.
    pub(super) fn end(&mut self, element: &Element) {
        let more = self.in_work.remove(element).unwrap_or(0);
        self.adopted
            .extend(std::iter::repeat_n(element.clone(), more));
    }

    /// Compares with what the list holds and gives the number of elements adopted.
    pub(super) fn reconcile(&mut self, listed: Vec<Element>) -> usize {
        let unknown: HashSet<Element> = listed
            .into_iter()
            .filter(|element| {
                !self.in_work.contains_key(element) && !self.adopted.contains(element)
            })
            .collect();
        let (adopted, suspects): (Vec<_>, _) = unknown
            .into_iter()
            .partition(|element| self.suspects.contains(element));
        self.suspects = suspects.into_iter().collect();
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
