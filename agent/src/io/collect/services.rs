//! Units of systemd: how many services are active, and what failed.
//!
//! Asked over the system bus, which costs a tenth of running `systemctl`; where there is no bus,
//! `systemctl` is run.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use muster_schemas::telemetry::Services;
use nix::unistd::geteuid;

use super::child::{Limits, find_program, run_system};
use super::host::Host;
use super::slow::{Found, Plan, Slow};
use super::source::Trouble;
use crate::logic::dbus::{
    Call, HEADER_BYTES, Message, Unit, message_length, parse_units, read_message,
};

/// Units fail rarely, and systemd is asked by many.
const PERIOD_MS: i64 = 60_000;

/// How long the bus may take for each piece of an answer: systemd is slow while it boots.
const BUS_TIMEOUT: Duration = Duration::from_secs(10);

/// How many messages that are not the answer are read over (signals to all, the bus's greeting).
const OTHERS_MAX: usize = 100;

const SYSTEMCTL_LIMITS: Limits =
    Limits { timeout: Duration::from_secs(10), bytes_max: 4 * 1024 * 1024 };

/// How many names of failed units travel: a sample says at most 32.
const FAILED_NAMES_MAX: usize = 32;

pub fn services(host: &Host) -> Slow<Services> {
    let plan = Plan {
        name: "services",
        period_ms: PERIOD_MS,
        put: |services: &Services, sample| sample.services = Some(services.clone()),
        once: false,
    };
    let host = host.clone();
    Slow::start(plan, move || {
        if !host.path("/run/systemd/system").exists() {
            return Err(Trouble::absent("systemd does not run here"));
        }
        let units = units(&host).map_err(Trouble::Failed)?;
        Ok(Found::all(count(&units)))
    })
}

fn units(host: &Host) -> Result<Vec<Unit>, String> {
    let socket = host.path("/run/dbus/system_bus_socket");
    if socket.exists() {
        return units_of_bus(&socket).map_err(|reason| format!("the system bus: {reason}"));
    }
    let program = find_program("systemctl").filter(|_| !host.is_mounted());
    let program = program.ok_or("there is neither a system bus nor systemctl")?;
    units_of_systemctl(&program).map_err(|reason| format!("systemctl {reason}"))
}

fn count(units: &[Unit]) -> Services {
    let is = |unit: &&Unit, state: &str| unit.active == state;
    let active = units.iter().filter(|unit| is(unit, "active") && unit.name.ends_with(".service"));
    let failed: BTreeSet<&str> =
        units.iter().filter(|unit| is(unit, "failed")).map(|unit| unit.name.as_str()).collect();
    Services {
        active: i64::try_from(active.count()).unwrap_or(i64::MAX),
        failed: i64::try_from(failed.len()).unwrap_or(i64::MAX),
        failed_units: failed.into_iter().take(FAILED_NAMES_MAX).map(str::to_owned).collect(),
    }
}

/// Services that are active, and whatever failed.
fn units_of_bus(socket: &Path) -> Result<Vec<Unit>, String> {
    let mut bus = Bus::connect(socket)?;
    let mut units = bus.units(&["active"], &["*.service"])?;
    units.extend(bus.units(&["failed"], &[])?);
    Ok(units)
}

struct Bus {
    stream: UnixStream,
    serial: u32,
}

impl Bus {
    fn connect(socket: &Path) -> Result<Self, String> {
        let stream = UnixStream::connect(socket).map_err(|error| error.to_string())?;
        let timeouts = stream
            .set_read_timeout(Some(BUS_TIMEOUT))
            .and_then(|()| stream.set_write_timeout(Some(BUS_TIMEOUT)));
        timeouts.map_err(|error| error.to_string())?;
        let mut bus = Self { stream, serial: 0 };
        bus.sign_in()?;
        bus.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "Hello", &[])?;
        Ok(bus)
    }

    /// The bus knows by the socket who we are; it is told in hexadecimal digits of the number.
    fn sign_in(&mut self) -> Result<(), String> {
        // The digits of ASCII are 0x30 to 0x39.
        let digits = geteuid().to_string();
        let user: Vec<char> = digits.chars().flat_map(|digit| ['3', digit]).collect();
        let user = String::from_iter(user);
        self.write(format!("\0AUTH EXTERNAL {user}\r\n").as_bytes())?;
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            self.read(&mut byte)?;
            line.push(byte[0]);
            if line.len() > 1024 {
                return Err("it does not answer in lines".into());
            }
        }
        if !line.starts_with(b"OK ") {
            return Err("it does not let this user in".into());
        }
        self.write(b"BEGIN\r\n")
    }

    fn units(&mut self, states: &[&str], patterns: &[&str]) -> Result<Vec<Unit>, String> {
        let (name, path) = ("org.freedesktop.systemd1", "/org/freedesktop/systemd1");
        let body = self.call(name, path, "ListUnitsByPatterns", &[states, patterns])?;
        parse_units(&body).ok_or_else(|| "the list of units cannot be read".into())
    }

    fn call(
        &mut self,
        name: &str,
        path: &str,
        member: &str,
        arguments: &[&[&str]],
    ) -> Result<Vec<u8>, String> {
        self.serial += 1;
        let manager = format!("{name}.Manager");
        let interface = if arguments.is_empty() { name } else { &manager };
        let call = Call { destination: name, path, interface, member, arguments };
        self.write(&call.encode(self.serial))?;
        for _ in 0..OTHERS_MAX {
            let message = self.read_one()?;
            match read_message(&message, self.serial)? {
                Message::Answer(body) => return Ok(body.to_vec()),
                Message::Refused(reason) => return Err(reason),
                Message::Other => {}
            }
        }
        Err("it does not come to the answer".into())
    }

    fn read_one(&mut self) -> Result<Vec<u8>, String> {
        let mut message = vec![0; HEADER_BYTES];
        self.read(&mut message)?;
        message.resize(message_length(&message)?, 0);
        self.read(&mut message[HEADER_BYTES..])?;
        Ok(message)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.stream.write_all(bytes).map_err(|error| error.to_string())
    }

    fn read(&mut self, bytes: &mut [u8]) -> Result<(), String> {
        self.stream.read_exact(bytes).map_err(|error| error.to_string())
    }
}

fn units_of_systemctl(program: &Path) -> Result<Vec<Unit>, String> {
    let arguments =
        ["list-units", "--state=active,failed", "--plain", "--no-legend", "--no-pager", "--full"];
    let printed = run_system(program, &arguments, SYSTEMCTL_LIMITS)?;
    if !printed.status.success() {
        return Err(format!("ended with {}", printed.status));
    }
    Ok(parse_list(&String::from_utf8_lossy(&printed.text)))
}

/// Lines of `name load active sub description`.
fn parse_list(text: &str) -> Vec<Unit> {
    let unit = |line: &str| {
        let mut words = line.split_whitespace();
        let name = words.next()?.to_owned();
        Some(Unit { name, active: words.nth(1)?.to_owned() })
    };
    text.lines().filter_map(unit).collect()
}

#[cfg(test)]
mod tests {
    use super::super::child::tests::stand_in;
    use super::*;

    #[test]
    fn units_are_those_that_systemctl_lists() {
        let directory = tempfile::tempdir().unwrap();
        let script = "[ \"$LC_ALL $1 $2\" = 'C list-units --state=active,failed' ] || exit 2\n\
                      echo 'ssh.service loaded active running OpenBSD Secure Shell server'\n\
                      echo 'backup.service loaded failed failed Nightly backup'";
        let program = stand_in(directory.path(), "systemctl", script);
        let services = count(&units_of_systemctl(&program).unwrap());
        let expected =
            Services { active: 1, failed: 1, failed_units: vec!["backup.service".into()] };
        assert_eq!(services, expected);
        let program = stand_in(directory.path(), "systemctl", "echo half; exit 1");
        let said = units_of_systemctl(&program).unwrap_err();
        assert_eq!(said, "ended with exit status: 1");
    }

    #[test]
    fn services_are_counted_and_failures_of_all_kinds_are_named() {
        let units = parse_list(
            "ssh.service loaded active running OpenBSD Secure Shell server\n\
             -.mount loaded active mounted Root Mount\n\
             z.timer loaded failed failed A timer\n\
             a.service loaded failed failed A service\n\nodd\n",
        );
        let expected = Services {
            active: 1,
            failed: 2,
            failed_units: vec!["a.service".into(), "z.timer".into()],
        };
        assert_eq!(count(&units), expected);
    }
}
