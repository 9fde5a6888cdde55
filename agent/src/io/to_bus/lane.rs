//! What of one lane is under way.

use std::collections::VecDeque;

use futures::stream::FuturesUnordered;

use super::courier::Delivery;
use crate::io::journal::{Outcome, Ticket};
use crate::logic::ack_window::AckWindow;

/// How many messages are under way at once: 256 frames of 5 kB hide the round trip to a broker
/// 100 ms away at 12 MB/s.
const UNDER_WAY_MAX: usize = 256;

/// And how large they are together: an agent has 12 MB for everything.
const UNDER_WAY_BYTES_MAX: u64 = 2 * 1024 * 1024;

#[derive(Default)]
pub struct LaneState {
    pub window: AckWindow<Ticket, Outcome>,
    pub under_way: FuturesUnordered<Delivery>,
    /// Candidates, which are sent one at a time by themselves.
    pub held: VecDeque<Ticket>,
    bytes: u64,
}

impl LaneState {
    pub fn is_full(&self) -> bool {
        self.window.len() >= UNDER_WAY_MAX || self.bytes >= UNDER_WAY_BYTES_MAX
    }

    pub fn send(&mut self, ticket: Ticket, delivery: Delivery) {
        self.bytes += ticket.bytes();
        self.under_way.push(delivery);
    }

    pub fn delivered(&mut self, ticket: &Ticket) {
        self.bytes = self.bytes.saturating_sub(ticket.bytes());
    }

    /// The first candidate that is held, if it is `acknowledged` or older.
    pub fn release(&mut self, acknowledged: &Ticket) -> Option<Ticket> {
        let held = self.held.front().copied().filter(|held| held.end <= acknowledged.end)?;
        self.held.pop_front();
        Some(held)
    }
}
