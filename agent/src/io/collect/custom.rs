//! Metrics of an operator's own: from scripts in a directory, and from Prometheus endpoints.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use muster_schemas::telemetry::{CustomMetric, Sample};

use super::child::{Limits, run};
use super::host::names_in;
use super::http::{TIMEOUT, get};
use super::slow::{Found, Plan, Slow};
use super::source::Trouble;
use crate::logic::exposition::{parse_endpoint, parse_exposition};
use crate::logic::script_lines::parse_lines;

/// As often as a cron job can run.
const SCRIPTS_PERIOD_MS: i64 = 60_000;

/// What one script may take: several have to fit in a minute, and a metric a line in 64 KiB is
/// more than a person looks at.
const SCRIPT_LIMITS: Limits = Limits { timeout: Duration::from_secs(10), bytes_max: 64 * 1024 };

/// As often as Prometheus itself asks by default.
const PROMETHEUS_PERIOD_MS: i64 = 15_000;

/// The most metrics of all scripts together, and of all endpoints together: a sample may list 1,024
/// custom ones.
const METRICS_MAX: usize = 500;

/// Writable by everybody: whoever is on the host could run programs as the agent.
const WRITABLE_BY_OTHERS: u32 = 0o002;

const EXECUTABLE: u32 = 0o111;

fn plan(name: &'static str, period_ms: i64) -> Plan<Vec<CustomMetric>> {
    let put = |metrics: &Vec<CustomMetric>, sample: &mut Sample| {
        sample.custom.extend(metrics.iter().cloned());
    };
    Plan { name, period_ms, put, once: false }
}

pub fn scripts(directory: &Path) -> Slow<Vec<CustomMetric>> {
    let plan = plan("scripts", SCRIPTS_PERIOD_MS);
    let directory = directory.to_owned();
    Slow::start(plan, move || {
        let names = names_in(&directory);
        let (mut metrics, mut troubles, mut scripts) = (Vec::new(), Vec::new(), 0);
        for name in names.into_iter().filter(|name| !name.starts_with('.')) {
            let path = directory.join(&name);
            let Some(permissions) = permissions(&path) else { continue };
            scripts += 1;
            let (found, trouble) = run_script(&path, permissions);
            metrics.extend(found);
            troubles.extend(trouble.map(|trouble| format!("{name}: {trouble}")));
        }
        if scripts == 0 {
            let directory = directory.display();
            return Err(Trouble::absent(format!("there are no scripts in {directory}")));
        }
        let left_out = metrics.len().saturating_sub(METRICS_MAX);
        if left_out > 0 {
            metrics.truncate(METRICS_MAX);
            troubles.push(format!("{left_out} metrics beyond {METRICS_MAX} are left out"));
        }
        Ok(Found::but(metrics, &troubles))
    })
}

/// Of a file that is meant to be run.
fn permissions(path: &Path) -> Option<u32> {
    let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    let mode = metadata.permissions().mode();
    (mode & EXECUTABLE != 0).then_some(mode)
}

fn run_script(path: &Path, permissions: u32) -> (Vec<CustomMetric>, Option<String>) {
    if permissions & WRITABLE_BY_OTHERS != 0 {
        return (Vec::new(), Some("everybody may write to it: not run".into()));
    }
    let printed = match run(&mut Command::new(path), SCRIPT_LIMITS) {
        Ok(printed) => printed,
        Err(reason) => return (Vec::new(), Some(reason)),
    };
    let lines = parse_lines(&String::from_utf8_lossy(&printed.text));
    let status = printed.status;
    let failed = (!status.success()).then(|| format!("ended with {status}"));
    (lines.metrics, lines.bad.or(failed))
}

pub fn prometheus(urls: &[String]) -> Slow<Vec<CustomMetric>> {
    let plan = plan("prometheus", PROMETHEUS_PERIOD_MS);
    let urls = urls.to_vec();
    Slow::start(plan, move || {
        if urls.is_empty() {
            return Err(Trouble::absent("no endpoint is configured"));
        }
        let (mut metrics, mut troubles) = (Vec::new(), Vec::new());
        for url in &urls {
            match scrape(url) {
                Ok(text) => {
                    let found = parse_exposition(&text, METRICS_MAX - metrics.len());
                    metrics.extend(found.metrics);
                    if found.left_out > 0 {
                        let left_out = found.left_out;
                        troubles.push(format!(
                            "{url}: {left_out} metrics beyond {METRICS_MAX} are left out"
                        ));
                    }
                }
                Err(reason) => troubles.push(reason),
            }
        }
        Ok(Found::but(metrics, &troubles))
    })
}

fn scrape(url: &str) -> Result<String, String> {
    let endpoint = parse_endpoint(url)?;
    let because = |reason: String| format!("{url}: {reason}");
    let mut refused = String::from("has no address");
    for address in &endpoint.addresses {
        match TcpStream::connect_timeout(&(*address).into(), TIMEOUT) {
            Ok(stream) => {
                let timeouts = stream
                    .set_read_timeout(Some(TIMEOUT))
                    .and_then(|()| stream.set_write_timeout(Some(TIMEOUT)));
                timeouts.map_err(|error| because(error.to_string()))?;
                let body = get(stream, &endpoint.host, &endpoint.path).map_err(because)?;
                return Ok(String::from_utf8_lossy(&body).into_owned());
            }
            Err(error) => refused = format!("cannot be reached: {error}"),
        }
    }
    Err(because(refused))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;
    use std::time::Instant;

    use super::super::host::boot_clock_ms;
    use super::super::source::{Collect, Moment};
    use super::*;

    fn wait_for(
        slow: &mut Slow<Vec<CustomMetric>>,
        expected: impl Fn(&[CustomMetric], &Result<(), Trouble>) -> bool,
    ) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let mut sample = Sample::default();
            let said = slow.collect(Moment { boot_ms: boot_clock_ms() }, &mut sample);
            if expected(&sample.custom, &said) {
                return;
            }
            assert!(Instant::now() < deadline, "{said:?} {:?}", sample.custom);
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn scripts_are_run_and_the_bad_ones_are_named() {
        let directory = tempfile::tempdir().unwrap();
        let script = |name: &str, text: &str, mode: u32| {
            let path = directory.path().join(name);
            fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        };
        script("good", "echo queue 12 jobs", 0o755);
        script("bad", "echo fine 1; echo oops", 0o755);
        script("fails", "echo kept 1; exit 3", 0o755);
        script("open", "echo evil 1", 0o757);
        script("README", "not run", 0o644);
        wait_for(&mut scripts(directory.path()), |metrics, said| {
            let names: Vec<&str> = metrics.iter().map(|metric| metric.name.as_str()).collect();
            let Err(Trouble::Failed(reason)) = said else { return false };
            let expected = "bad: line 2: there is no value; fails: ended with exit status: 3; \
                            open: everybody may write to it: not run";
            assert_eq!(reason, expected);
            names == ["fine", "kept", "queue"]
        });
    }

    #[test]
    fn an_endpoint_on_this_host_is_read_and_others_are_refused() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = [0; 1024];
                let _ = stream.read(&mut request).unwrap();
                let chunks = "6\r\nup 1\n#\r\n9\r\n comment\n\r\n0\r\n\r\n";
                let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
                stream.write_all(format!("{head}{chunks}").as_bytes()).unwrap();
            }
        });
        let urls = [format!("http://{address}/metrics"), "http://192.0.2.1/metrics".into()];
        wait_for(&mut prometheus(&urls), |metrics, said| {
            let refused = "http://192.0.2.1/metrics: only this host may be asked";
            metrics.len() == 1
                && metrics[0].name == "up"
                && matches!(said, Err(Trouble::Failed(reason)) if reason.starts_with(refused))
        });
    }
}
