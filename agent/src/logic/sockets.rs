//! Sockets: how many of which kind and state, from the kernel's tables.

use muster_schemas::telemetry::{FileDescriptors, Sockets, TcpStates};

use crate::logic::scan::{count, lines, number, words};

/// What `/proc/net/sockstat` and `sockstat6` count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SocketCounts {
    pub tcp: u64,
    pub tcp_time_wait: u64,
    pub udp: u64,
}

impl SocketCounts {
    /// Adds what one of the two files says; IPv6 sockets have names of their own there.
    pub fn add(&mut self, sockstat: &[u8]) {
        let field = |line: &[u8], name: &str| {
            let mut words = words(line).skip_while(|word| *word != name.as_bytes()).skip(1);
            words.next().and_then(number).unwrap_or(0)
        };
        for line in lines(sockstat) {
            match words(line).next() {
                Some(b"TCP:") => {
                    self.tcp += field(line, "inuse") + field(line, "tw");
                    self.tcp_time_wait += field(line, "tw");
                }
                Some(b"TCP6:") => self.tcp += field(line, "inuse"),
                Some(b"UDP:" | b"UDP6:") => self.udp += field(line, "inuse"),
                _ => {}
            }
        }
    }

    pub fn to_sockets(self, tcp: Option<TcpStates>) -> Sockets {
        Sockets { udp: count(self.udp), tcp_time_wait: count(self.tcp_time_wait), tcp }
    }
}

/// Counts the sockets of `/proc/net/tcp` or `tcp6` by the hexadecimal state in its fourth column,
/// which is numbered as in the kernel's `include/net/tcp_states.h`.
pub fn count_states(text: &[u8], states: &mut TcpStates) {
    for line in lines(text) {
        let place = match words(line).nth(3) {
            Some(b"01") => &mut states.established,
            Some(b"02") => &mut states.syn_sent,
            Some(b"03" | b"0C") => &mut states.syn_received,
            Some(b"04" | b"05") => &mut states.fin_wait,
            Some(b"08") => &mut states.close_wait,
            Some(b"09") => &mut states.last_ack,
            Some(b"0A") => &mut states.listen,
            Some(b"0B") => &mut states.closing,
            _ => continue,
        };
        *place += 1;
    }
}

/// Established TCP connections, IPv4 and IPv6 together, from `/proc/net/snmp`.
pub fn parse_established(snmp: &[u8]) -> Option<i64> {
    let mut tcp = lines(snmp).filter_map(|line| line.strip_prefix(b"Tcp:"));
    let (names, values) = (tcp.next()?, tcp.next()?);
    let mut pairs = words(names).zip(words(values));
    pairs.find(|(name, _)| *name == b"CurrEstab").and_then(|(_, value)| number(value)).map(count)
}

/// `/proc/sys/fs/file-nr`: handed out, of those free (0 on any kernel of this century), and most.
pub fn parse_file_nr(text: &[u8]) -> Option<FileDescriptors> {
    let mut numbers = words(text).map(number);
    let (open, free, max) = (numbers.next()??, numbers.next()??, numbers.next()??);
    Some(FileDescriptors { open: count(open.saturating_sub(free)), max: count(max) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_are_counted_together() {
        let mut counts = SocketCounts::default();
        counts.add(b"sockets: used 18\nTCP: inuse 5 orphan 1 tw 3 alloc 9 mem 0\nUDP: inuse 2 mem 4\nUDPLITE: inuse 8\n");
        counts.add(b"TCP6: inuse 4\nUDP6: inuse 1\n");
        assert_eq!(counts, SocketCounts { tcp: 12, tcp_time_wait: 3, udp: 3 });
    }

    #[test]
    fn states_are_counted_by_their_number() {
        let mut states = TcpStates::default();
        let line = |state: &str| format!("   0: 0100007F:07E8 00000000:0000 {state} 0:0 00:0 0\n");
        let text: String = ["0A", "01", "01", "06", "08", "04", "05"].map(line).concat();
        let header = "  sl  local_address rem_address   st tx_queue rx_queue tr\n";
        count_states(format!("{header}{text}").as_bytes(), &mut states);
        let expected =
            TcpStates { established: 2, listen: 1, close_wait: 1, fin_wait: 2, ..states };
        assert_eq!(states, expected);
        assert_eq!(states.last_ack + states.closing + states.syn_sent + states.syn_received, 0);
    }

    #[test]
    fn established_connections_are_found_by_name() {
        let text =
            b"Ip: A B\nIp: 1 2\nTcp: RtoAlgorithm MaxConn CurrEstab InSegs\nTcp: 1 -1 17 9\n";
        assert_eq!(parse_established(text), Some(17));
        assert_eq!(parse_established(b""), None);
    }

    #[test]
    fn open_files_are_those_handed_out() {
        let files = parse_file_nr(b"562\t2\t2466183\n").unwrap();
        assert_eq!(files, FileDescriptors { open: 560, max: 2_466_183 });
    }
}
