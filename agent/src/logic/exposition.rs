//! Metrics in the text format of Prometheus, as an exporter on the host prints them.
//!
//! Types, help, time stamps and exemplars are left out, as are values that are no numbers. The
//! buckets of histograms are left out too: their count and sum say how much and how long, and a
//! single histogram may have hundreds of them.

use std::net::{Ipv4Addr, Ipv6Addr};

use muster_schemas::telemetry::CustomMetric;

use crate::logic::script_lines::{NAME_BYTES_MAX, split_name};

/// What was found, and how many metrics are more than were asked for.
#[derive(Debug, Default, PartialEq)]
pub struct Exposition {
    pub metrics: Vec<CustomMetric>,
    pub left_out: usize,
}

/// Reads at most `max` metrics.
pub fn parse_exposition(text: &str, max: usize) -> Exposition {
    let mut exposition = Exposition::default();
    for metric in text.lines().filter_map(parse_line) {
        if exposition.metrics.len() < max {
            exposition.metrics.push(metric);
        } else {
            exposition.left_out += 1;
        }
    }
    exposition
}

fn parse_line(line: &str) -> Option<CustomMetric> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let (name, instance, rest) = split_name(line).ok()?;
    if name.ends_with("_bucket") || name.len().max(instance.len()) > NAME_BYTES_MAX {
        return None;
    }
    let value: f64 = rest.split_whitespace().next()?.parse().ok()?;
    let is_fit = value.is_finite() && !name.contains('\0') && !instance.contains('\0');
    is_fit.then(|| CustomMetric {
        name: name.to_owned(),
        instance: instance.to_owned(),
        value,
        unit: String::new(),
    })
}

/// Where an exporter is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// With the port, as it is told to the exporter.
    pub host: String,
    pub addresses: Vec<(std::net::IpAddr, u16)>,
    pub path: String,
}

/// Only plain HTTP on this host is asked: an agent that could be told to read any address would be
/// a way into the network it stands in.
pub fn parse_endpoint(url: &str) -> Result<Endpoint, String> {
    let rest = url.strip_prefix("http://").ok_or_else(|| format!("{url}: expected http://"))?;
    let (authority, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, "/metrics"),
    };
    if path.bytes().any(|byte| byte.is_ascii_control() || byte == b' ') {
        return Err(format!("{url:?}: the path holds blanks or control characters"));
    }
    let (name, port) = split_port(authority).ok_or_else(|| format!("{url}: bad host or port"))?;
    let addresses = loopback(name).ok_or_else(|| {
        format!("{url}: only this host may be asked: localhost, 127.0.0.0/8 or [::1]")
    })?;
    Ok(Endpoint {
        host: authority.to_owned(),
        addresses: addresses.into_iter().map(|address| (address, port)).collect(),
        path: path.to_owned(),
    })
}

fn split_port(authority: &str) -> Option<(&str, u16)> {
    let (name, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (name, port) = rest.split_once(']')?;
            (name, port.strip_prefix(':'))
        }
        None => authority.split_once(':').map_or((authority, None), |(n, port)| (n, Some(port))),
    };
    Some((name, port.map_or(Some(80), |port| port.parse().ok())?))
}

fn loopback(name: &str) -> Option<Vec<std::net::IpAddr>> {
    if name.eq_ignore_ascii_case("localhost") {
        return Some(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
    }
    let address: std::net::IpAddr = name.parse().ok()?;
    address.is_loopback().then(|| vec![address])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn metrics_are_read_with_their_labels() {
        let text = "# HELP up Whether it is up.\n# TYPE up gauge\nup 1\n\
            http_requests_total{code=\"200\",path=\"/a b}\"} 1.027e+03 1395066363000\n\
            lat_bucket{le=\"+Inf\"} 9\nlat_sum 3.5\nlat_count 9\nbad NaN\nworse +Inf\nno_value\n\
            traced_total 5 # {trace_id=\"x\"} 1.0\n# EOF\n";
        let found = parse_exposition(text, 10);
        let told: Vec<(&str, &str, f64)> = found
            .metrics
            .iter()
            .map(|metric| (metric.name.as_str(), metric.instance.as_str(), metric.value))
            .collect();
        let expected = [
            ("up", "", 1.0),
            ("http_requests_total", "{code=\"200\",path=\"/a b}\"}", 1027.0),
            ("lat_sum", "", 3.5),
            ("lat_count", "", 9.0),
            ("traced_total", "", 5.0),
        ];
        assert_eq!(told, expected);
        assert_eq!(parse_exposition(text, 2).left_out, 3);
    }

    #[test]
    fn only_this_host_is_asked() {
        for (url, host, path) in [
            ("http://localhost:9100/metrics", "localhost:9100", "/metrics"),
            ("http://127.0.0.1:9100", "127.0.0.1:9100", "/metrics"),
            ("http://[::1]:80/x?y=z", "[::1]:80", "/x?y=z"),
        ] {
            let endpoint = parse_endpoint(url).unwrap();
            assert_eq!((endpoint.host.as_str(), endpoint.path.as_str()), (host, path));
            assert!(endpoint.addresses.iter().all(|(address, _)| address.is_loopback()));
        }
        for url in [
            "http://10.0.0.1:9100/metrics",
            "http://example.org/metrics",
            "http://localhost.example.org/",
            "http://127.0.0.1@example.org/",
            "http://[::ffff:10.0.0.1]/",
            "https://localhost/",
            "http://localhost:99999/",
            "http://localhost/a b",
            "file:///etc/passwd",
            "",
        ] {
            parse_endpoint(url).unwrap_err();
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text: String) {
            for metric in parse_exposition(&text, 5).metrics {
                prop_assert!(metric.value.is_finite());
            }
            let _ = parse_endpoint(&text);
        }
    }
}
