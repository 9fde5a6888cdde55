//! What to do where the database refuses a batch for what it says: its messages are taken one by
//! one, and the one that is refused alone is left out, so that it costs none of its neighbours.
//!
//! The same for what is due without any message: it is written for each host and rule alone.
//!
//! Only what is refused for its content counts. A database that is away, slow or full says nothing
//! about a message.

#[derive(Debug, Default)]
pub struct Caution {
    /// One by one up to here; 0 where nothing was refused.
    until: u64,
    left_out: Option<u64>,
    /// What was due was refused and is to be written for each alone.
    each_alone: bool,
}

impl Caution {
    /// How many to take at once after the message `seq`.
    pub fn messages_max(&self, usual: usize, seq: u64) -> usize {
        if seq < self.until { 1 } else { usual }
    }

    /// So many messages were refused, of which this was the last.
    pub fn refused(&mut self, messages: usize, last_seq: u64) {
        self.until = self.until.max(last_seq);
        if messages == 1 {
            self.left_out = Some(last_seq);
        }
    }

    pub fn due_was_refused(&mut self) {
        self.each_alone = true;
    }

    pub fn due_is_kept(&mut self) {
        self.each_alone = false;
    }

    pub fn writes_each_alone(&self) -> bool {
        self.each_alone
    }

    /// Whether these messages are the one that was refused alone.
    pub fn leaves_out(&self, messages: usize, last_seq: u64) -> bool {
        messages == 1 && self.left_out == Some(last_seq)
    }

    /// Whether all that had been refused together is behind; then nothing is remembered of it.
    pub fn is_over(&mut self, seq: u64) -> bool {
        let is_over = self.until > 0 && seq >= self.until;
        if is_over {
            *self = Self { each_alone: self.each_alone, ..Self::default() };
        }
        is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decides about messages 1 to 20, of which one is refused; answers what was left out, and how
    /// many batches it took.
    fn decide(poison: u64) -> (Vec<u64>, usize) {
        let (mut caution, mut seq, mut left_out, mut batches) =
            (Caution::default(), 0, Vec::new(), 0);
        while seq < 20 {
            batches += 1;
            let last = (seq + caution.messages_max(10, seq) as u64).min(20);
            let count = (last - seq) as usize;
            if caution.leaves_out(count, last) {
                left_out.push(last);
            } else if (seq + 1..=last).contains(&poison) {
                caution.refused(count, last);
                continue;
            }
            seq = last;
            caution.is_over(seq);
        }
        (left_out, batches)
    }

    #[test]
    fn one_that_is_refused_is_left_out_and_nothing_else() {
        assert_eq!(decide(0), (vec![], 2));
        assert_eq!(decide(4), (vec![4], 1 + 10 + 1 + 1));
        assert_eq!(decide(10), (vec![10], 1 + 10 + 1 + 1));
        assert_eq!(decide(20), (vec![20], 1 + 1 + 10 + 1));
    }
}
