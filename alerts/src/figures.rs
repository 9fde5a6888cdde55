//! Values, durations and times as people read them in tickets and notifications.

use jiff::Timestamp;
use muster_schemas::metrics::{self, CLOCK_OFFSET, LOG_ERROR_RATE, Unit};

const MS_PER_S: i64 = 1000;

/// A metric's value with its unit: `91.3 %`, `1.5 GiB`, `85 °C`.
pub fn value(metric: &str, value: f64) -> String {
    if metric == LOG_ERROR_RATE {
        return format!("{} lines/min", number(value));
    }
    if metric == CLOCK_OFFSET {
        return with_unit(Unit::Milliseconds, value);
    }
    match metrics::metric(metric) {
        Some(known) => with_unit(known.unit, value),
        None => number(value),
    }
}

fn with_unit(unit: Unit, value: f64) -> String {
    let suffix = match unit {
        Unit::Percent => " %",
        Unit::Bytes => return bytes(value),
        Unit::BytesPerSecond => return format!("{}/s", bytes(value)),
        Unit::PacketsPerSecond => " packets/s",
        Unit::PerSecond => "/s",
        Unit::Milliseconds => " ms",
        Unit::Megahertz => " MHz",
        Unit::RevolutionsPerMinute => " rpm",
        Unit::Watts => " W",
        Unit::Celsius => " °C",
        Unit::Seconds => return duration((value * 1000.0) as i64),
        Unit::Count | Unit::Load => "",
    };
    format!("{}{suffix}", number(value))
}

/// Three digits or so, without idle zeros.
pub fn number(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.decimals$}");
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

pub fn bytes(value: f64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut scaled = value;
    let mut unit = 0;
    while scaled.abs() >= 1024.0 && unit + 1 < UNITS.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    format!("{} {}", number(scaled), UNITS[unit])
}

/// The two largest parts: `45 s`, `5 min`, `1 h 30 min`, `2 d 4 h`.
pub fn duration(ms: i64) -> String {
    const PARTS: [(i64, &str); 4] = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
    let mut rest = ms.max(0) / MS_PER_S;
    let mut said = Vec::new();
    for (seconds, unit) in PARTS {
        if rest >= seconds && said.len() < 2 {
            said.push(format!("{} {unit}", rest / seconds));
            rest %= seconds;
        } else if !said.is_empty() {
            break;
        }
    }
    if said.is_empty() { "0 s".into() } else { said.join(" ") }
}

/// `2026-11-21 15:29:32 UTC`.
pub fn time(at_ms: i64) -> String {
    Timestamp::from_millisecond(at_ms)
        .map_or_else(|_| at_ms.to_string(), |at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_its_unit_and_no_idle_digits() {
        for (metric, given, said) in [
            ("cpu.usage_percent", 91.34, "91.3 %"),
            ("cpu.usage_percent", 90.0, "90 %"),
            ("cpu.usage_percent", 100.0, "100 %"),
            ("memory.used_bytes", 1_610_612_736.0, "1.5 GiB"),
            ("network.rx_bytes_per_s", 12.0, "12 B/s"),
            ("processes.total", 512.0, "512"),
            ("load.one", 4.256, "4.26"),
            ("temperature.max_celsius", 85.5, "85.5 °C"),
            ("logs.error_lines_per_min", 120.0, "120 lines/min"),
            ("clock.offset_ms", 1500.0, "1500 ms"),
            ("uptime_s", 90.0, "1 min 30 s"),
            ("custom.queue", 7.0, "7"),
        ] {
            assert_eq!(value(metric, given), said, "{metric}");
        }
    }

    #[test]
    fn a_duration_is_told_in_its_two_largest_parts() {
        for (ms, said) in [
            (-5, "0 s"),
            (999, "0 s"),
            (45_000, "45 s"),
            (300_000, "5 min"),
            (5_400_000, "1 h 30 min"),
            (3_601_000, "1 h"),
            (187_200_000, "2 d 4 h"),
        ] {
            assert_eq!(duration(ms), said);
        }
        assert_eq!(time(1_732_100_000_123), "2024-11-20 10:53:20 UTC");
        assert_eq!(time(i64::MAX), i64::MAX.to_string());
    }
}
