//! Which processes are worth showing.

/// How many processes of each list travel.
pub const TOP_COUNT: usize = 5;

/// The largest of what is offered, largest first; ties go to the lower pid so that lists do not
/// flicker. What is 0 is not a top one.
#[derive(Debug, Default)]
pub struct Top {
    largest: Vec<(u64, i32)>,
}

impl Top {
    pub fn clear(&mut self) {
        self.largest.clear();
    }

    pub fn offer(&mut self, size: u64, pid: i32) {
        let smallest = self.largest.last().map_or(0, |(size, _)| *size);
        if size == 0 || (self.largest.len() == TOP_COUNT && size < smallest) {
            return;
        }
        let before = |(other, of): &(u64, i32)| *other > size || (*other == size && *of < pid);
        let index = self.largest.partition_point(before);
        self.largest.insert(index, (size, pid));
        self.largest.truncate(TOP_COUNT);
    }

    pub fn pids(&self) -> impl Iterator<Item = i32> {
        self.largest.iter().map(|(_, pid)| *pid)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn top(offers: &[(u64, i32)]) -> Vec<i32> {
        let mut top = Top::default();
        for (size, pid) in offers {
            top.offer(*size, *pid);
        }
        top.pids().collect()
    }

    #[test]
    fn the_largest_come_first_and_idle_ones_are_left_out() {
        assert_eq!(top(&[(0, 1), (3, 2), (9, 3)]), [3, 2]);
        assert_eq!(top(&[(1, 9), (1, 4), (1, 7), (1, 8), (1, 5), (1, 6), (2, 1)]), [1, 4, 5, 6, 7]);
    }

    proptest! {
        #[test]
        fn the_order_of_offers_does_not_matter(sizes in prop::collection::vec(0u64..9, 0..40)) {
            let mut offers: Vec<(u64, i32)> = sizes.into_iter().zip(1..).collect();
            let forwards = top(&offers);
            offers.reverse();
            prop_assert_eq!(&forwards, &top(&offers));
            offers.retain(|(size, _)| *size > 0);
            offers.sort_by_key(|(size, pid)| (u64::MAX - size, *pid));
            let sorted: Vec<i32> = offers.iter().take(TOP_COUNT).map(|(_, pid)| *pid).collect();
            prop_assert_eq!(forwards, sorted);
        }
    }
}
