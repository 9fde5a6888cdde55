//! In which unit a ticket's value and threshold are.

use muster_schemas::metrics::{CLOCK_OFFSET, LOG_ERROR_RATE, Unit, metric};

/// `None` where there is none, or it is the script's own.
pub fn unit_of(name: &str, is_group: bool) -> Option<&'static str> {
    if is_group {
        // The share of its hosts.
        return Some(Unit::Percent.as_str());
    }
    match name {
        LOG_ERROR_RATE => Some("lines_per_min"),
        CLOCK_OFFSET => Some(Unit::Milliseconds.as_str()),
        _ => metric(name).map(|metric| metric.unit.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_has_the_unit_of_its_metric_and_a_group_that_of_a_share() {
        for (name, is_group, unit) in [
            ("cpu.usage_percent", false, Some("percent")),
            ("memory.used_bytes", false, Some("bytes")),
            ("memory.used_bytes", true, Some("percent")),
            (LOG_ERROR_RATE, false, Some("lines_per_min")),
            (CLOCK_OFFSET, false, Some("ms")),
            ("custom.queue", false, None),
            ("host.offline", false, None),
        ] {
            assert_eq!(unit_of(name, is_group), unit, "{name}");
        }
    }
}
