//! What `nvidia-smi` prints of each graphics processor.

use muster_schemas::numbers::round_fraction;
use muster_schemas::telemetry::Gpu;

/// The columns asked for, in the order in which they are parsed.
pub const NVIDIA_QUERY: &str =
    "--query-gpu=index,utilization.gpu,memory.used,memory.total,temperature.gpu,power.draw,name";

const MIB: i64 = 1024 * 1024;

/// Lines of comma-separated values without units; what the card does not know is `[N/A]`. The name
/// comes last because only a name could hold a comma.
pub fn parse_nvidia(text: &str) -> Vec<Gpu> {
    text.lines().filter_map(parse_card).collect()
}

fn parse_card(line: &str) -> Option<Gpu> {
    let mut columns = line.splitn(7, ',').map(str::trim);
    let id = columns.next().filter(|id| id.parse::<u32>().is_ok())?.to_owned();
    let mut number = || {
        let value = columns.next()?.parse::<f64>().ok();
        Some(value.filter(|value| value.is_finite() && *value >= 0.0))
    };
    let (utilisation, used, total) = (number()?, number()?, number()?);
    let (celsius, watts) = (number()?, number()?);
    let bytes = |mib: f64| (mib as i64).saturating_mul(MIB);
    Some(Gpu {
        id,
        utilisation_percent: utilisation.map(round_fraction),
        memory_used_bytes: used.map(bytes),
        memory_total_bytes: total.map(bytes),
        celsius: celsius.map(round_fraction),
        power_watts: watts.map(round_fraction),
        name: columns.next()?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_are_told_with_what_they_know() {
        let text = "0, 35, 1024, 16384, 61, 70.25, Tesla T4\n\
                    1, [N/A], [N/A], [N/A], 40, [Not Supported], Strange, Card\n\
                    No devices were found\n";
        let cards = parse_nvidia(text);
        assert_eq!(cards.len(), 2);
        assert_eq!((cards[0].id.as_str(), cards[0].name.as_str()), ("0", "Tesla T4"));
        assert_eq!(cards[0].utilisation_percent, Some(35.0));
        assert_eq!(cards[0].memory_used_bytes, Some(1 << 30));
        assert_eq!((cards[0].celsius, cards[0].power_watts), (Some(61.0), Some(70.25)));
        assert_eq!((cards[1].utilisation_percent, cards[1].celsius), (None, Some(40.0)));
        assert_eq!(cards[1].name, "Strange, Card");
    }
}
