//! Which messages are acknowledged without a hole before them.
//!
//! Several are under way at once and their acknowledgements come in any order. The journal may
//! forget only what has nothing unacknowledged before it.

use std::collections::VecDeque;

/// Positions under way, in the order in which they were sent.
#[derive(Debug)]
pub struct AckWindow<P> {
    under_way: VecDeque<(P, bool)>,
}

impl<P> Default for AckWindow<P> {
    fn default() -> Self {
        Self { under_way: VecDeque::new() }
    }
}

impl<P: Copy + PartialEq> AckWindow<P> {
    pub fn len(&self) -> usize {
        self.under_way.len()
    }

    pub fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    pub fn sent(&mut self, position: P) {
        self.under_way.push_back((position, false));
    }

    /// Notes an acknowledgement; answers the positions that now have nothing unacknowledged before
    /// them, in order.
    pub fn acknowledged(&mut self, position: P) -> Vec<P> {
        if let Some(entry) = self.under_way.iter_mut().find(|(p, _)| *p == position) {
            entry.1 = true;
        }
        let mut settled = Vec::new();
        while let Some((position, true)) = self.under_way.front() {
            settled.push(*position);
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
        assert!(window.acknowledged(2).is_empty());
        assert!(window.acknowledged(4).is_empty());
        assert_eq!(window.acknowledged(1), [1, 2]);
        assert!(window.acknowledged(1).is_empty());
        assert_eq!(window.acknowledged(3), [3, 4]);
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
                reached.extend(window.acknowledged(position));
                let contiguous = acknowledged.iter().take_while(|yes| **yes).count();
                prop_assert_eq!(&reached, &(0..contiguous).collect::<Vec<_>>());
            }
            prop_assert!(window.is_empty());
        }
    }
}
