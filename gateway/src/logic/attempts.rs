//! The guard against guessing passwords.
//!
//! Ten failures in a minute, by one address or for one username, and that address or username has
//! to wait until the oldest of them is a minute old. An attempt counts as failed from the moment
//! it begins and is forgiven when it succeeds, so that a thousand at once are not a way around.
//! The memory for this is bounded: where it is full, whoever was quiet longest is forgotten.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::net::IpAddr;

/// Nobody mistypes more often in a minute; a guesser gets 14,400 a day, of 10^20 and more.
pub const FAILURES_MAX: usize = 10;

const WINDOW_MS: i64 = 60_000;

/// Addresses and usernames remembered, each: about 2 MB.
const KEYS_MAX: usize = 10_000;

#[derive(Debug, Default)]
pub struct Attempts {
    by_address: Log<IpAddr>,
    by_username: Log<String>,
}

#[derive(Debug)]
struct Log<K> {
    begun: HashMap<K, VecDeque<i64>>,
}

impl<K> Default for Log<K> {
    fn default() -> Self {
        Self { begun: HashMap::new() }
    }
}

impl Attempts {
    /// Counts an attempt, or says for how many seconds to wait.
    pub fn begin(&mut self, now: i64, address: IpAddr, username: &str) -> Result<(), i64> {
        let address = subscriber(address);
        let username = username.to_owned();
        let waits =
            [self.by_address.wait_ms(now, &address), self.by_username.wait_ms(now, &username)];
        let wait_ms = waits.into_iter().max().unwrap_or(0);
        if wait_ms > 0 {
            return Err((wait_ms + 999) / 1_000);
        }
        self.by_address.note(now, address);
        self.by_username.note(now, username);
        Ok(())
    }

    /// The attempt begun at `begun` was right: it does not count, and the username is clean.
    pub fn succeeded(&mut self, begun: i64, address: IpAddr, username: &str) {
        self.by_address.forgive(begun, &subscriber(address));
        self.by_username.begun.remove(username);
    }
}

/// One subscriber has a whole /64 of version 6 addresses.
fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

impl<K: Hash + Eq + Clone> Log<K> {
    fn wait_ms(&mut self, now: i64, key: &K) -> i64 {
        let Some(begun) = self.begun.get_mut(key) else { return 0 };
        while begun.front().is_some_and(|at| now - at >= WINDOW_MS) {
            begun.pop_front();
        }
        match begun.front() {
            Some(oldest) if begun.len() >= FAILURES_MAX => oldest + WINDOW_MS - now,
            _ => 0,
        }
    }

    fn note(&mut self, now: i64, key: K) {
        if self.begun.len() >= KEYS_MAX && !self.begun.contains_key(&key) {
            self.make_room(now);
        }
        self.begun.entry(key).or_default().push_back(now);
    }

    fn make_room(&mut self, now: i64) {
        self.begun.retain(|_, begun| begun.back().is_some_and(|at| now - at < WINDOW_MS));
        if self.begun.len() >= KEYS_MAX {
            let quietest = self.begun.iter().min_by_key(|(_, begun)| begun.back().copied());
            if let Some(key) = quietest.map(|(key, _)| key.clone()) {
                self.begun.remove(&key);
            }
        }
    }

    fn forgive(&mut self, at: i64, key: &K) {
        let Some(begun) = self.begun.get_mut(key) else { return };
        if let Some(index) = begun.iter().position(|noted| *noted == at) {
            begun.remove(index);
        }
        if begun.is_empty() {
            self.begun.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[test]
    fn the_eleventh_failure_in_a_minute_has_to_wait() {
        let mut attempts = Attempts::default();
        for second in 0..10 {
            assert_eq!(attempts.begin(second * 1_000, address(1), "admin"), Ok(()));
        }
        assert_eq!(attempts.begin(10_000, address(1), "admin"), Err(50));
        assert_eq!(attempts.begin(59_999, address(1), "admin"), Err(1));
        assert_eq!(attempts.begin(60_000, address(1), "admin"), Ok(()));
        assert_eq!(attempts.begin(60_000, address(1), "admin"), Err(1));
    }

    #[test]
    fn many_addresses_are_no_way_to_one_name_nor_many_names_for_one_address() {
        let mut attempts = Attempts::default();
        for n in 0..10 {
            assert!(attempts.begin(0, address(n), "admin").is_ok());
            assert!(attempts.begin(0, address(99), &format!("user-{n}")).is_ok());
        }
        assert!(attempts.begin(0, address(50), "admin").is_err());
        assert!(attempts.begin(0, address(99), "other").is_err());
        assert!(attempts.begin(0, address(50), "other").is_ok());
    }

    #[test]
    fn a_subscriber_is_not_several() {
        let mut attempts = Attempts::default();
        for n in 0..10 {
            let v6 = IpAddr::from([1, 2, 3, 4, 0, 0, 0, n]);
            assert!(attempts.begin(0, v6, &format!("user-{n}")).is_ok());
        }
        assert!(attempts.begin(0, IpAddr::from([1, 2, 3, 4, 9, 9, 9, 9]), "x").is_err());
        let mapped: IpAddr = "::ffff:10.0.0.1".parse().unwrap();
        assert_eq!(subscriber(mapped), address(1));
    }

    #[test]
    fn success_is_forgiven_and_others_failures_are_not() {
        let mut attempts = Attempts::default();
        for n in 0..9 {
            attempts.begin(n, address(1), "x").unwrap();
        }
        for n in 100..200 {
            assert!(attempts.begin(n, address(1), "admin").is_ok());
            attempts.succeeded(n, address(1), "admin");
        }
        assert!(attempts.begin(200, address(1), "x").is_ok());
        assert!(attempts.begin(200, address(1), "admin").is_err());
    }

    #[test]
    fn memory_is_bounded() {
        let mut attempts = Attempts::default();
        for n in 0..KEYS_MAX as u32 + 500 {
            let address = IpAddr::from(n.to_be_bytes());
            attempts.begin(i64::from(n) / 1_000, address, &n.to_string()).unwrap();
        }
        assert_eq!(attempts.by_address.begun.len(), KEYS_MAX);
        assert_eq!(attempts.by_username.begun.len(), KEYS_MAX);
    }
}
