//! What `smartctl --json` says of a disk.

use muster_schemas::numbers::round_fraction;
use muster_schemas::telemetry::SmartDisk;
use serde::Deserialize;

/// Sectors that were replaced by spare ones.
const REALLOCATED: u64 = 5;

/// Attributes whose normalised value counts down from 100 as the flash wears out, by maker:
/// Samsung's wear levelling, SSD life left, Intel's media wearout.
const WEAR: [u64; 3] = [177, 231, 233];

/// Bits of the exit code of `smartctl`; the others tell of the disk, not of the call.
const EXIT_COMMAND_LINE: i32 = 1;
const EXIT_OPEN_FAILED: i32 = 2;

#[derive(Debug, PartialEq)]
pub enum Report {
    Disk(Box<SmartDisk>),
    /// The disk sleeps, or has no such thing to say.
    Silent,
    /// This process may not ask, or the disk does not answer.
    Refused(String),
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Json {
    smartctl: Smartctl,
    model_name: String,
    serial_number: String,
    smart_status: Option<Status>,
    temperature: Option<Temperature>,
    power_on_time: Option<PowerOnTime>,
    endurance_used: Option<Endurance>,
    ata_smart_attributes: Attributes,
    nvme_smart_health_information_log: Option<NvmeLog>,
    scsi_grown_defect_list: Option<i64>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Smartctl {
    exit_status: i32,
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    string: String,
}

#[derive(Deserialize)]
struct Status {
    passed: bool,
}

#[derive(Deserialize)]
struct Temperature {
    current: Option<f64>,
}

#[derive(Deserialize)]
struct PowerOnTime {
    hours: Option<i64>,
}

#[derive(Deserialize)]
struct Endurance {
    current_percent: Option<f64>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Attributes {
    table: Vec<Attribute>,
}

#[derive(Deserialize)]
struct Attribute {
    id: u64,
    value: Option<f64>,
    raw: Option<Raw>,
}

#[derive(Deserialize)]
struct Raw {
    value: i64,
}

#[derive(Deserialize)]
struct NvmeLog {
    media_errors: Option<i64>,
    percentage_used: Option<f64>,
}

/// Reads what was printed for one device.
pub fn parse_smart(device: &str, text: &[u8]) -> Report {
    let json: Json = match serde_json::from_slice(text) {
        Ok(json) => json,
        Err(error) => return Report::Refused(format!("smartctl printed no report: {error}")),
    };
    if json.smartctl.exit_status & EXIT_COMMAND_LINE != 0 {
        return Report::Refused(format!("{device}: {}", json.message()));
    }
    // Also the answer of `-n standby` for a disk that sleeps: nothing was read then.
    if json.smartctl.exit_status & EXIT_OPEN_FAILED != 0 {
        let message = json.message();
        let sleeps = message.to_ascii_uppercase().contains("STANDBY") || message.is_empty();
        return if sleeps {
            Report::Silent
        } else {
            Report::Refused(format!("{device}: {message}"))
        };
    }
    let Some(status) = &json.smart_status else { return Report::Silent };
    Report::Disk(Box::new(json.to_disk(device, status.passed)))
}

impl Json {
    fn message(&self) -> String {
        self.smartctl.messages.first().map(|message| message.string.clone()).unwrap_or_default()
    }

    fn to_disk(&self, device: &str, passed: bool) -> SmartDisk {
        let nvme = self.nvme_smart_health_information_log.as_ref();
        let at_least_zero = |count: &i64| *count >= 0;
        SmartDisk {
            device: device.to_owned(),
            model: self.model_name.clone(),
            serial: self.serial_number.clone(),
            passed,
            celsius: self.temperature.as_ref().and_then(|t| t.current).map(round_fraction),
            power_on_hours: self
                .power_on_time
                .as_ref()
                .and_then(|time| time.hours)
                .filter(at_least_zero),
            bad_sectors: self
                .reallocated()
                .or_else(|| nvme?.media_errors)
                .or(self.scsi_grown_defect_list)
                .filter(at_least_zero),
            wear_percent: self
                .endurance_used
                .as_ref()
                .and_then(|endurance| endurance.current_percent)
                .or_else(|| nvme?.percentage_used)
                .or_else(|| self.wear())
                .filter(|wear| *wear >= 0.0)
                .map(round_fraction),
        }
    }

    fn reallocated(&self) -> Option<i64> {
        let table = &self.ata_smart_attributes.table;
        table.iter().find(|a| a.id == REALLOCATED)?.raw.as_ref().map(|raw| raw.value)
    }

    fn wear(&self) -> Option<f64> {
        let table = &self.ata_smart_attributes.table;
        let left = table.iter().find(|a| WEAR.contains(&a.id))?.value?;
        (0.0..=100.0).contains(&left).then_some(100.0 - left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_of_each_kind_is_read() {
        let ata = br#"{"smartctl":{"exit_status":0},"model_name":"Disk A","serial_number":"S1",
            "smart_status":{"passed":true},"temperature":{"current":33},
            "power_on_time":{"hours":1234,"minutes":5},"ata_smart_attributes":{"revision":1,"table":[
            {"id":5,"name":"Reallocated_Sector_Ct","value":100,"raw":{"value":8,"string":"8"}},
            {"id":177,"name":"Wear_Leveling_Count","value":97,"raw":{"value":60,"string":"60"}}]}}"#;
        let expected = SmartDisk {
            device: "sda".into(),
            model: "Disk A".into(),
            serial: "S1".into(),
            passed: true,
            celsius: Some(33.0),
            power_on_hours: Some(1234),
            bad_sectors: Some(8),
            wear_percent: Some(3.0),
        };
        assert_eq!(parse_smart("sda", ata), Report::Disk(Box::new(expected)));
        let nvme = br#"{"smartctl":{"exit_status":8},"model_name":"Disk N",
            "smart_status":{"passed":false,"nvme":{"value":1}},"temperature":{"current":70},
            "nvme_smart_health_information_log":{"media_errors":2,"percentage_used":104}}"#;
        let Report::Disk(disk) = parse_smart("nvme0n1", nvme) else { panic!("no disk") };
        assert_eq!((disk.passed, disk.bad_sectors), (false, Some(2)));
        assert_eq!(disk.wear_percent, Some(104.0));
    }

    #[test]
    fn what_sleeps_or_has_nothing_to_say_is_silent() {
        for text in [
            r#"{"smartctl":{"exit_status":2,"messages":[{"string":"Device is in STANDBY mode, exit(2)","severity":"information"}]}}"#,
            r#"{"smartctl":{"exit_status":4},"model_name":"Virtual"}"#,
        ] {
            assert_eq!(parse_smart("sda", text.as_bytes()), Report::Silent, "{text}");
        }
    }

    #[test]
    fn a_refusal_names_the_disk_and_the_reason() {
        let text = br#"{"smartctl":{"exit_status":2,"messages":[{"string":"Smartctl open device: /dev/sda failed: Permission denied"}]}}"#;
        let Report::Refused(reason) = parse_smart("sda", text) else { panic!("not refused") };
        assert!(reason.starts_with("sda: ") && reason.ends_with("Permission denied"));
        assert!(matches!(parse_smart("sda", b"junk"), Report::Refused(_)));
    }
}
