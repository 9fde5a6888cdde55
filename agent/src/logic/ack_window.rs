//! Which messages are acknowledged without a hole before them.
//!
//! Several are under way at once and their acknowledgements come in any order. The journal may
//! forget only what has nothing unacknowledged before it.

use std::collections::VecDeque;

/// Positions under way, in the order in which they were sent, and what became of each.
#[derive(Debug)]
pub struct AckWindow<P, O> {
    under_way: VecDeque<(P, Option<O>)>,
}

impl<P, O> Default for AckWindow<P, O> {
    fn default() -> Self {
        Self { under_way: VecDeque::new() }
    }
}

impl<P: Copy + PartialEq, O: Copy> AckWindow<P, O> {
    pub fn len(&self) -> usize {
        self.under_way.len()
    }

    pub fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    pub fn sent(&mut self, position: P) {
        self.under_way.push_back((position, None));
    }

    /// Notes what became of one; answers those that now have nothing undecided before them, in
    /// order. One that is not under way changes nothing.
    pub fn settled(&mut self, position: P, outcome: O) -> Vec<(P, O)> {
        if let Some(entry) = self.under_way.iter_mut().find(|(p, _)| *p == position) {
            entry.1 = Some(outcome);
        }
        let mut settled = Vec::new();
        while let Some((position, Some(outcome))) = self.under_way.front() {
            settled.push((*position, *outcome));
            self.under_way.pop_front();
        }
        settled
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_hole_holds_back_what_comes_after_it() {
        let mut window = AckWindow::default();
        (1..=4).for_each(|position| window.sent(position));
        assert!(window.settled(2, 'a').is_empty());
        assert!(window.settled(4, 'b').is_empty());
        assert_eq!(window.settled(1, 'c'), [(1, 'c'), (2, 'a')]);
        assert!(window.settled(1, 'd').is_empty());
        assert_eq!(window.settled(3, 'e'), [(3, 'e'), (4, 'b')]);
        assert!(window.is_empty());
    }

    proptest! {
        #[test]
        fn any_order_of_acknowledgements_settles_each_once_and_in_order(
            order in Just((0..20usize).collect::<Vec<_>>()).prop_shuffle()
        ) {
            let mut window = AckWindow::default();
            (0..20).for_each(|position| window.sent(position));
            let mut acknowledged = [false; 20];
            let mut reached = Vec::new();
            for position in order {
                acknowledged[position] = true;
                reached.extend(window.settled(position, ()).into_iter().map(|(position, ())| position));
                let contiguous = acknowledged.iter().take_while(|yes| **yes).count();
                prop_assert_eq!(&reached, &(0..contiguous).collect::<Vec<_>>());
            }
            prop_assert!(window.is_empty());
        }
    }
}
