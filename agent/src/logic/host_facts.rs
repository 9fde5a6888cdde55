//! Texts that say what a host is: its operating system, who is signed in, what its addresses are.

use std::net::IpAddr;

/// The length of a record of `utmp`: glibc keeps 32-bit times on most architectures.
pub const UTMP_RECORD_BYTES: usize = if cfg!(target_arch = "aarch64") { 400 } else { 384 };

/// A record of somebody who is signed in.
const USER_PROCESS: u16 = 7;

/// The name of the operating system as its maker writes it, from `os-release`.
pub fn os_name(os_release: &str) -> Option<String> {
    let field = |name: &str| {
        let value = os_release.lines().find_map(|line| line.strip_prefix(name))?;
        let value = value.strip_prefix('=')?.trim();
        let quote = value.chars().next().filter(|c| ['"', '\''].contains(c));
        let bare = quote.and_then(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
        Some(bare.unwrap_or(value).replace("\\\"", "\"")).filter(|value| !value.is_empty())
    };
    field("PRETTY_NAME").or_else(|| field("NAME"))
}

/// Whether a hostname is what machines are called that have none (yet): it would be the id of many.
pub fn is_no_name(hostname: &str) -> bool {
    let first = hostname.split('.').next().unwrap_or_default().to_ascii_lowercase();
    matches!(first.as_str(), "" | "localhost" | "localhost4" | "localhost6" | "(none)")
}

/// Who is signed in, and the process that says so, from `utmp`.
pub fn parse_logins(utmp: &[u8]) -> Vec<(u32, String)> {
    utmp.chunks_exact(UTMP_RECORD_BYTES).filter_map(parse_login).collect()
}

/// type at 0, pid at 4, line at 8, id at 40, user at 44.
fn parse_login(record: &[u8]) -> Option<(u32, String)> {
    let kind = u16::from_ne_bytes(record.get(..2)?.try_into().ok()?);
    let pid = u32::from_ne_bytes(record.get(4..8)?.try_into().ok()?);
    let user = record.get(44..76)?.split(|byte| *byte == 0).next()?;
    let user = String::from_utf8_lossy(user).into_owned();
    (kind == USER_PROCESS && !user.is_empty()).then_some((pid, user))
}

/// The user of a session of systemd, from its file in `/run/systemd/sessions`; `None` for those of
/// greeters and background jobs, and for those that end.
pub fn session_user(text: &str) -> Option<String> {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    let is_persons = field("CLASS=").is_some_and(|class| class.starts_with("user"));
    let is_ending = field("STATE=") == Some("closing");
    if !is_persons || is_ending || field("CLASS=") == Some("user-incomplete") {
        return None;
    }
    field("USER=").map(str::to_owned).filter(|user| !user.is_empty())
}

/// An address with the length of its network's prefix: `192.0.2.7/24`.
pub fn with_prefix(address: IpAddr, netmask: Option<IpAddr>) -> String {
    let bits = match netmask {
        Some(IpAddr::V4(mask)) => mask.to_bits().count_ones(),
        Some(IpAddr::V6(mask)) => mask.to_bits().count_ones(),
        None if address.is_ipv4() => 32,
        None => 128,
    };
    format!("{address}/{bits}")
}

/// Whether an address is one that others can be told: link-local ones are made by themselves, on
/// each end of each container's cable too.
pub fn is_telling(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !address.is_link_local(),
        IpAddr::V6(address) => !address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_machine_is_called_is_no_name() {
        for name in ["", "localhost", "localhost.localdomain", "LOCALHOST", "(none)"] {
            assert!(is_no_name(name), "{name}");
        }
        for name in ["web-3", "localhost-of-anna", "db.localhost"] {
            assert!(!is_no_name(name), "{name}");
        }
    }

    #[test]
    fn systems_have_the_name_their_maker_gives_them() {
        for (text, expected) in [
            (
                "NAME=\"Debian\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n",
                Some("Debian GNU/Linux 12 (bookworm)"),
            ),
            ("NAME=Alpine\nID=alpine\n", Some("Alpine")),
            ("PRETTY_NAME='Arch'\n", Some("Arch")),
            ("ID=x\n", None),
        ] {
            assert_eq!(os_name(text).as_deref(), expected);
        }
    }

    #[test]
    fn only_who_is_signed_in_is_told() {
        let record = |kind: u16, pid: u32, user: &str| {
            let mut record = vec![0; UTMP_RECORD_BYTES];
            record[..2].copy_from_slice(&kind.to_ne_bytes());
            record[4..8].copy_from_slice(&pid.to_ne_bytes());
            record[44..44 + user.len()].copy_from_slice(user.as_bytes());
            record
        };
        let utmp = [record(2, 0, "reboot"), record(7, 42, "ada"), record(8, 43, "gone")].concat();
        assert_eq!(parse_logins(&utmp), [(42, "ada".to_owned())]);
        assert_eq!(parse_logins(&utmp[..100]), []);
    }

    #[test]
    fn sessions_of_people_are_told_apart_from_others() {
        let session = |class: &str, state: &str| {
            session_user(&format!("UID=1000\nUSER=ada\nSTATE={state}\nCLASS={class}\n"))
        };
        assert_eq!(session("user", "active").as_deref(), Some("ada"));
        assert_eq!(session("user", "closing"), None);
        assert_eq!(session("greeter", "online"), None);
        assert_eq!(session("manager", "active"), None);
    }

    #[test]
    fn addresses_have_their_prefix() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(with_prefix(ip("192.0.2.7"), Some(ip("255.255.255.0"))), "192.0.2.7/24");
        assert_eq!(with_prefix(ip("2001:db8::1"), Some(ip("ffff:ffff::"))), "2001:db8::1/32");
        assert_eq!(with_prefix(ip("192.0.2.7"), None), "192.0.2.7/32");
        assert!(is_telling(&ip("10.0.0.1")) && !is_telling(&ip("fe80::1")));
    }
}
