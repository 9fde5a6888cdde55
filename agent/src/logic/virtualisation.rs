//! What a host runs in: a container, a virtual machine, or neither.
//!
//! A container is the narrower answer and comes first. Among virtual machines the firmware's names
//! are asked before the clocks that a hypervisor offers, which tell less about who made it.

/// What the host's files say; what is not there is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signs {
    /// The environment of the first process, entries ended by NUL.
    pub environment: Vec<u8>,
    /// What systemd noted of itself in `/run/systemd/container`.
    pub noted_container: String,
    /// The runtime that left a file of its own at the root.
    pub marked_by: Option<&'static str>,
    /// Whether threads of the kernel are among the processes, which a container hides.
    pub kernel_threads: bool,
    /// `sys_vendor` and `product_name` of the firmware.
    pub vendor: String,
    pub product: String,
    /// `/sys/hypervisor/type`.
    pub hypervisor: String,
    /// Clocks the kernel could use.
    pub clocks: String,
    /// Whether the processor says that it is not a real one.
    pub hypervisor_flag: bool,
}

/// Words in the firmware's names, and what they mean. The first that fits is taken.
const FIRMWARE: &[(&str, &str)] = &[
    ("Amazon EC2", "amazon"),
    ("Google", "google"),
    ("VMware", "vmware"),
    ("VirtualBox", "virtualbox"),
    ("innotek", "virtualbox"),
    ("Parallels", "parallels"),
    ("BHYVE", "bhyve"),
    ("Apple Virtualization", "apple"),
    ("Xen", "xen"),
    ("KVM", "kvm"),
    ("OpenStack", "kvm"),
    ("KubeVirt", "kvm"),
    ("DigitalOcean", "kvm"),
    ("Alibaba Cloud", "kvm"),
    ("Bochs", "bochs"),
];

/// Makers of machines that are real as well as of hypervisors: the product decides.
const MICROSOFT: (&str, &str) = ("Microsoft Corporation", "Virtual Machine");

/// How clouds name machines that they rent out whole.
const BARE_METAL_ENDING: &str = ".metal";

/// As the name travels; empty on bare metal.
pub fn virtualisation(signs: &Signs) -> String {
    container(signs).or_else(|| machine(signs)).unwrap_or_default()
}

fn container(signs: &Signs) -> Option<String> {
    let mut entries = signs.environment.split(|byte| *byte == 0);
    let named = entries.find_map(|entry| entry.strip_prefix(b"container="));
    let named = named.map(|name| String::from_utf8_lossy(name).into_owned());
    let noted = Some(signs.noted_container.clone());
    // Machines are started from images of containers, and such a file may be left in them.
    let marked = signs.marked_by.filter(|_| !signs.kernel_threads).map(str::to_owned);
    named.or(noted).filter(|name| !name.is_empty()).or(marked)
}

fn machine(signs: &Signs) -> Option<String> {
    by_firmware(signs).or_else(|| by_kernel(signs)).map(str::to_owned)
}

fn by_firmware(signs: &Signs) -> Option<&'static str> {
    if signs.product.ends_with(BARE_METAL_ENDING) {
        return None;
    }
    if (signs.vendor.as_str(), signs.product.as_str()) == MICROSOFT {
        return Some("hyper-v");
    }
    let says = |word: &str| signs.vendor.contains(word) || signs.product.contains(word);
    // Emulation and KVM share a firmware; only the latter offers the guest a clock.
    if says("QEMU") && !signs.clocks.contains("kvm-clock") {
        return Some("qemu");
    }
    FIRMWARE.iter().find(|(word, _)| says(word)).map(|(_, name)| *name)
}

fn by_kernel(signs: &Signs) -> Option<&'static str> {
    if signs.hypervisor.contains("xen") {
        return Some("xen");
    }
    for (clock, name) in [("kvm-clock", "kvm"), ("xen", "xen"), ("hyperv", "hyper-v")] {
        if signs.clocks.contains(clock) {
            return Some(name);
        }
    }
    signs.hypervisor_flag.then_some("vm")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(signs: &Signs, expected: &str) {
        assert_eq!(virtualisation(signs), expected, "{signs:?}");
    }

    #[test]
    fn machines_are_known_by_their_firmware_then_by_their_kernel() {
        let of = |vendor: &str, product: &str, clocks: &str| Signs {
            vendor: vendor.into(),
            product: product.into(),
            clocks: clocks.into(),
            hypervisor_flag: true,
            ..Signs::default()
        };
        check(&of("QEMU", "Standard PC (Q35 + ICH9, 2009)", "kvm-clock tsc"), "kvm");
        check(&of("QEMU", "Standard PC (i440FX + PIIX, 1996)", "tsc hpet"), "qemu");
        check(&of("VMware, Inc.", "VMware Virtual Platform", "tsc"), "vmware");
        check(&of("innotek GmbH", "VirtualBox", "tsc"), "virtualbox");
        check(&of("Microsoft Corporation", "Virtual Machine", "hyperv"), "hyper-v");
        check(&of("Amazon EC2", "t3.micro", "kvm-clock"), "amazon");
        check(&of("Google", "Google Compute Engine", "kvm-clock"), "google");
        check(&of("", "", "kvm-clock tsc"), "kvm");
        check(&of("", "", "tsc"), "vm");
        check(&Signs { hypervisor: "xen".into(), ..Signs::default() }, "xen");
    }

    #[test]
    fn real_machines_are_not_virtual() {
        let of = |vendor: &str, product: &str| Signs {
            vendor: vendor.into(),
            product: product.into(),
            clocks: "tsc hpet acpi_pm".into(),
            ..Signs::default()
        };
        check(&of("Microsoft Corporation", "Surface Laptop"), "");
        check(&of("Amazon EC2", "c5.metal"), "");
        check(&of("Dell Inc.", "PowerEdge R740"), "");
        check(&Signs::default(), "");
    }

    #[test]
    fn a_container_is_told_before_the_machine_it_runs_on() {
        let machine = Signs { clocks: "kvm-clock".into(), ..Signs::default() };
        let environment = b"PATH=/bin\0container=lxc\0".to_vec();
        check(&Signs { environment, ..machine.clone() }, "lxc");
        check(&Signs { marked_by: Some("docker"), ..machine.clone() }, "docker");
        let noted_container = "systemd-nspawn".to_owned();
        check(&Signs { noted_container, ..machine.clone() }, "systemd-nspawn");
    }

    #[test]
    fn a_machine_made_of_a_containers_image_is_a_machine() {
        let signs = Signs {
            marked_by: Some("docker"),
            kernel_threads: true,
            clocks: "kvm-clock".into(),
            ..Signs::default()
        };
        check(&signs, "kvm");
    }
}
