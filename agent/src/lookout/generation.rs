//! How often the hypervisor called by ACPI's interrupts, on a machine with a device for its generation.

use crate::host::HostFs;

/// Names of the device for the generation id: of Hyper-V, Firecracker and Cloud Hypervisor, of QEMU, and the one of
/// Microsoft's specification.
const DEVICES: &[&str] = &["VMGENCTR", "QEMUVGID", "VM_GEN_COUNTER"];

/// Where ACPI's interrupts are counted. Found once: this is asked every 15 seconds, and the list of all interrupts of a
/// large machine takes the kernel a millisecond to write.
#[derive(Debug, Default)]
pub(super) enum Calls {
    /// There is no such device.
    #[default]
    Nowhere,
    /// In a file for each interrupt (`/sys/kernel/irq`, Linux 4.9).
    Files(Vec<String>),
    /// In the list of all of them.
    List,
}

impl Calls {
    /// Looks for them.
    pub(super) fn find(fs: &HostFs) -> Self {
        let is_generation = |name: &String| name.split(':').next().is_some_and(|id| DEVICES.contains(&id));
        if !fs.names("/sys/bus/acpi/devices").is_ok_and(|devices| devices.iter().any(is_generation)) {
            return Self::Nowhere;
        }
        let interrupts = fs.names("/sys/kernel/irq").unwrap_or_default();
        let actions = |number: &String| fs.text(&format!("/sys/kernel/irq/{number}/actions"));
        let is_acpi =
            |number: &String| actions(number).is_ok_and(|names| names.split([',', '\n']).any(is_acpi));
        let files: Vec<String> = interrupts
            .iter()
            .filter(|number| is_acpi(number))
            .map(|number| format!("/sys/kernel/irq/{number}/per_cpu_count"))
            .collect();
        if files.is_empty() { Self::List } else { Self::Files(files) }
    }

    /// How many there were since the machine booted; `None` where they are not counted, or for no generation.
    pub(super) fn count(&self, fs: &HostFs) -> Option<u64> {
        match self {
            Self::Nowhere => None,
            Self::Files(files) => files.iter().map(|path| Some(sum(fs.text(path).ok()?.split(',')))).sum(),
            Self::List => {
                let interrupts = fs.text("/proc/interrupts").ok()?;
                let of_acpi = interrupts.lines().filter(|line| line.split_ascii_whitespace().any(is_acpi));
                // The number of the interrupt, a count for each processor, the controller, and who is called.
                Some(of_acpi.map(|line| sum(line.split_ascii_whitespace().skip(1))).sum())
            }
        }
    }
}

/// Whether an interrupt's handler is ACPI's: of the SCI, or of the Generic Event Device.
fn is_acpi(handler: &str) -> bool {
    ["acpi", "ACPI:Ged"].contains(&handler)
}

/// The sum of the numbers up to the first word that is none.
fn sum<'a>(words: impl Iterator<Item = &'a str>) -> u64 {
    words.map_while(|word| word.trim().parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_count_where_there_is_a_generation() {
        let tree = tempfile::tempdir().unwrap();
        let fs = HostFs::fixture(tree.path());
        let add = |name: &str, text: &str| {
            let path = tree.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let count = || Calls::find(&fs).count(&fs);
        let interrupts = "           CPU0       CPU1\n  4:       1000          0  IO-APIC   4-edge      ttyS0\n\
                           \x20 9:          2          1  IO-APIC   9-fasteoi   acpi\n\
                           \x20 24:          1          0  IO-APIC   5-edge      ACPI:Ged\n";
        add("proc/interrupts", interrupts);
        add("sys/bus/acpi/devices/PNP0501:00/hid", "PNP0501");
        assert_eq!(count(), None);
        add("sys/bus/acpi/devices/QEMUVGID:00/hid", "QEMUVGID");
        assert_eq!(count(), Some(4));
        for (number, handlers, counts) in
            [("4", "ttyS0\n", "1000,0\n"), ("9", "acpi\n", "2,1\n"), ("24", "other,ACPI:Ged\n", "7,0\n")]
        {
            add(&format!("sys/kernel/irq/{number}/actions"), handlers);
            add(&format!("sys/kernel/irq/{number}/per_cpu_count"), counts);
        }
        assert_eq!(count(), Some(10));
    }
}
