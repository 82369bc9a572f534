//! Confidential virtual machines: memory that the host cannot read. They cost more, and are the same tier.

use super::claim::{Claim, confidential};
use super::finding::Findings;
use crate::cpuid::{HypervPartition, Leaf};
use crate::machine::Machine;

const WOULD_TELL: &str = "whether the host can read this machine's memory";

/// Paths that only guests have. Hosts have others: `/dev/sev`, `/sys/firmware/uv/prot_virt_host`.
const PATHS: &[(&str, Claim, f64)] = &[
    ("/dev/sev-guest", confidential("sev_snp"), 0.97),
    ("/sys/devices/system/cpu/sev/vmpl", confidential("sev_snp"), 0.99),
    ("/dev/tdx_guest", confidential("tdx"), 0.97),
    ("/sys/devices/virtual/misc/tdx_guest", confidential("tdx"), 0.97),
    ("/sys/devices/platform/arm-cca-dev", confidential("cca"), 0.97),
];

/// Words of `flags` in `/proc/cpuinfo` beside `hypervisor`. Hosts that can start such guests show AMD's words too,
/// but not `hypervisor`; a guest that is itself such a host is rare.
const FLAGS: &[(&str, Claim, f64)] = &[
    ("tdx_guest", confidential("tdx"), 0.97),
    ("sev_snp", confidential("sev_snp"), 0.6),
    ("sev_es", confidential("sev_es"), 0.6),
    ("sev", confidential("sev"), 0.6),
];

/// Intel's module answers this leaf in its guests only.
const TDX_LEAF: Leaf = Leaf(0x21);

/// Looks for what the kernels of such guests show.
#[derive(Debug)]
pub(super) struct Confidential;

impl super::Detector for Confidential {
    fn name(&self) -> &'static str {
        "confidential"
    }

    fn detect(&self, machine: &Machine, findings: &mut Findings) {
        for (path, claim, weight) in PATHS {
            if findings.exists(&machine.fs, path, WOULD_TELL) {
                findings.support(*claim, *weight, path, "exists");
            }
        }
        // IBM's ultravisor.
        let path = "/sys/firmware/uv/prot_virt_guest";
        if let Some(text) = findings.text(&machine.fs, path, WOULD_TELL)
            && text.trim() == "1"
        {
            findings.support(confidential("protvirt"), 0.99, path, "1");
        }
        flags(machine, findings);
        if let Some(leaf) = machine.cpuid.as_ref().and_then(|cpuid| cpuid.leaves.get(&TDX_LEAF))
            && leaf.trim_end() == "IntelTDX"
        {
            findings.support(confidential("tdx"), 0.99, "CPUID 0x21", leaf);
        }
        let isolated = match machine.cpuid.as_ref().and_then(|cpuid| cpuid.hyperv_partition) {
            Some(HypervPartition::SevSnp) => Some(("sev_snp", "isolation type 2")),
            Some(HypervPartition::Tdx) => Some(("tdx", "isolation type 3")),
            Some(HypervPartition::Root) | None => None,
        };
        if let Some((name, value)) = isolated {
            findings.support(confidential(name), 0.99, "CPUID 0x4000000c", value);
        }
    }
}

fn flags(machine: &Machine, findings: &mut Findings) {
    let path = "/proc/cpuinfo";
    let Some(cpuinfo) = findings.text(&machine.fs, path, WOULD_TELL) else { return };
    let Some(flags) = cpuinfo.lines().find(|line| line.starts_with("flags")) else { return };
    let has = |word: &str| flags.split_ascii_whitespace().any(|flag| flag == word);
    // Each of AMD's includes the ones below it: the first is the whole answer.
    if has("hypervisor")
        && let Some((word, claim, weight)) = FLAGS.iter().find(|(word, ..)| has(word))
    {
        findings.support(*claim, *weight, path, &format!("flag `{word}`"));
    }
}
