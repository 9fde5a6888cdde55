//! Graphics processors: `nvidia-smi` where it is installed, `/sys/class/drm` for the others.

use std::path::Path;
use std::time::Duration;

use muster_schemas::numbers::round_fraction;
use muster_schemas::telemetry::Gpu;

use super::child::{Limits, find_program, run_system};
use super::hardware::is_asleep;
use super::host::{Host, names_in, read_line, read_number};
use super::slow::{Found, Plan, Slow};
use super::source::Trouble;
use crate::logic::gpu::{NVIDIA_QUERY, parse_nvidia};

/// `nvidia-smi` takes a second on a card whose driver is not kept loaded.
const PERIOD_MS: i64 = 15_000;

/// Sixteen cards print 2 KB.
const NVIDIA_LIMITS: Limits = Limits { timeout: Duration::from_secs(10), bytes_max: 64 * 1024 };

/// Told by NVIDIA's own program, where it works.
const NVIDIA: &str = "0x10de";

pub fn gpus(host: &Host) -> Slow<Vec<Gpu>> {
    let plan = Plan {
        name: "gpus",
        period_ms: PERIOD_MS,
        put: |gpus: &Vec<Gpu>, sample| sample.gpus.clone_from(gpus),
        once: false,
    };
    let drm = host.sys("class/drm");
    Slow::start(plan, move || {
        let mut troubles = Vec::new();
        let mut gpus = match find_program("nvidia-smi").map(|program| nvidia(&program)) {
            Some(Ok(gpus)) => gpus,
            Some(Err(reason)) => {
                troubles.push(format!("nvidia-smi {reason}"));
                Vec::new()
            }
            None => Vec::new(),
        };
        gpus.extend(names_in(&drm).into_iter().filter_map(|name| drm_card(&drm, name)));
        if gpus.is_empty() && troubles.is_empty() {
            return Err(Trouble::absent("the host has no graphics processor that tells of itself"));
        }
        Ok(Found::but(gpus, &troubles))
    })
}

fn nvidia(program: &Path) -> Result<Vec<Gpu>, String> {
    let arguments = [NVIDIA_QUERY, "--format=csv,noheader,nounits"];
    let printed = run_system(program, &arguments, NVIDIA_LIMITS)?;
    if !printed.status.success() {
        return Err(format!("ended with {}", printed.status));
    }
    Ok(parse_nvidia(&String::from_utf8_lossy(&printed.text)))
}

/// `None` for outputs (`card0-HDMI-A-1`), for cards that sleep, and for those that tell nothing.
fn drm_card(drm: &Path, id: String) -> Option<Gpu> {
    let number = id.strip_prefix("card")?;
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let device = drm.join(&id).join("device");
    let vendor = read_line(&device.join("vendor"))?;
    if vendor == NVIDIA || is_asleep(&device.join("power/runtime_status")) {
        return None;
    }
    let hwmon = device.join("hwmon");
    let chip = names_in(&hwmon).first().map(|name| hwmon.join(name));
    let reading = |file: &str| read_number(&chip.as_ref()?.join(file));
    let watts = reading("power1_average").or_else(|| reading("power1_input"));
    let gpu = Gpu {
        name: card_name(&device, &vendor),
        utilisation_percent: read_number(&device.join("gpu_busy_percent"))
            .map(|percent| round_fraction(percent as f64)),
        memory_used_bytes: read_number(&device.join("mem_info_vram_used")),
        memory_total_bytes: read_number(&device.join("mem_info_vram_total")),
        celsius: reading("temp1_input").map(|milli| round_fraction(milli as f64 / 1000.0)),
        power_watts: watts.map(|micro| round_fraction(micro as f64 / 1e6)),
        id,
    };
    let tells = gpu.utilisation_percent.is_some()
        || gpu.memory_used_bytes.is_some()
        || gpu.celsius.is_some()
        || gpu.power_watts.is_some();
    tells.then_some(gpu)
}

/// The product as its driver names it, or the maker and its number for the device.
fn card_name(device: &Path, vendor: &str) -> String {
    if let Some(name) = read_line(&device.join("product_name")).filter(|name| !name.is_empty()) {
        return name;
    }
    let maker = match vendor {
        "0x1002" => "AMD",
        "0x8086" => "Intel",
        other => other,
    };
    let number = read_line(&device.join("device")).unwrap_or_default();
    format!("{maker} {number}").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::child::tests::stand_in;
    use super::*;

    #[test]
    fn cards_are_those_that_nvidia_smi_prints() {
        let directory = tempfile::tempdir().unwrap();
        let script = format!(
            "[ \"$*\" = '{NVIDIA_QUERY} --format=csv,noheader,nounits' ] || exit 2\n\
             echo '0, 35, 1024, 16384, 61, 70.25, Tesla T4'"
        );
        let program = stand_in(directory.path(), "nvidia-smi", &script);
        let cards = nvidia(&program).unwrap();
        assert_eq!((cards.len(), cards[0].name.as_str()), (1, "Tesla T4"));
        assert_eq!((cards[0].utilisation_percent, cards[0].celsius), (Some(35.0), Some(61.0)));
        let no_driver = "echo 'NVIDIA-SMI has failed'; exit 9";
        let program = stand_in(directory.path(), "nvidia-smi", no_driver);
        assert_eq!(nvidia(&program).unwrap_err(), "ended with exit status: 9");
    }

    #[test]
    fn cards_tell_what_their_driver_knows() {
        let directory = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("card0/device/vendor", "0x1002\n");
        write("card0/device/device", "0x73bf\n");
        write("card0/device/gpu_busy_percent", "12\n");
        write("card0/device/mem_info_vram_used", "1048576\n");
        write("card0/device/hwmon/hwmon3/temp1_input", "51000\n");
        write("card0/device/hwmon/hwmon3/power1_average", "25500000\n");
        write("card0-HDMI-A-1/device/vendor", "0x1002\n");
        write("card1/device/vendor", "0x8086\n");
        write("card2/device/vendor", "0x1002\n");
        write("card2/device/gpu_busy_percent", "99\n");
        write("card2/device/power/runtime_status", "suspended\n");
        let names = names_in(directory.path());
        let cards: Vec<Gpu> =
            names.into_iter().filter_map(|name| drm_card(directory.path(), name)).collect();
        assert_eq!(cards.len(), 1);
        let expected = Gpu {
            id: "card0".into(),
            name: "AMD 0x73bf".into(),
            utilisation_percent: Some(12.0),
            memory_used_bytes: Some(1 << 20),
            memory_total_bytes: None,
            celsius: Some(51.0),
            power_watts: Some(25.5),
        };
        assert_eq!(cards[0], expected);
    }
}
