//! What this worker knows that it holds, and what it holds without knowing.
//!
//! Redis may move an element into this worker's list while the answer to that move is lost. Such an element is seen by the
//! heartbeat; when it is still unknown at the next one, no answer is on its way any more and it is adopted.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::queue::Element;

#[derive(Debug, Default)]
pub(super) struct Held {
    /// Claimed and not settled, with how many more of the same bytes came meanwhile.
    in_work: HashMap<Element, usize>,
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

    /// Notes that an element is being worked on; false if one of the same bytes is, after which this one's turn comes.
    pub(super) fn take(&mut self, element: &Element) -> bool {
        self.suspects.remove(element);
        match self.in_work.get_mut(element) {
            Some(more) => *more += 1,
            None => drop(self.in_work.insert(element.clone(), 0)),
        }
        self.in_work[element] == 0
    }

    /// Notes that an element that was found could not be taken along.
    pub(super) fn put_off(&mut self, element: Element) {
        self.found.push_front(element);
    }

    /// Notes that an element is settled.
    pub(super) fn settle(&mut self, element: &Element) {
        let more = self.in_work.remove(element).unwrap_or(0);
        self.found
            .extend(std::iter::repeat_n(element.clone(), more));
    }

    /// Compares with what the list holds and gives the number of elements adopted.
    pub(super) fn compare(&mut self, listed: Vec<Element>) -> usize {
        let unknown: HashSet<Element> = listed
            .into_iter()
            .filter(|element| !self.in_work.contains_key(element) && !self.found.contains(element))
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
    fn elements_of_the_same_bytes_come_one_after_the_other() {
        let mut held = Held::default();
        assert!(held.take(&element("same")));
        assert!(!held.take(&element("same")));
        assert_eq!(held.next_found(), None);
        held.settle(&element("same"));
        let next = held.next_found().unwrap();
        assert!(held.take(&next));
        held.settle(&next);
        assert_eq!(held.next_found(), None);
    }

    #[test]
    fn an_element_that_was_only_slow_is_not_adopted() {
        let mut held = Held::default();
        assert_eq!(held.compare(vec![element("slow")]), 0);
        assert!(held.take(&element("slow")));
        assert_eq!(held.compare(vec![element("slow")]), 0);
        held.settle(&element("slow"));
        assert_eq!(held.compare(vec![]), 0);
        assert_eq!(held.next_found(), None);
    }
}
