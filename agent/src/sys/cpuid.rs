//! CPUID, on x86.

use crate::cpuid::Cpuid;

/// What CPUID tells about a hypervisor; `None` on other architectures.
#[cfg(not(target_arch = "x86_64"))]
#[must_use]
pub fn read() -> Option<Cpuid> {
    None
}

/// What CPUID tells about a hypervisor; `None` on other architectures.
///
/// Leaves from 0x40000000 in steps of 0x100, because a hypervisor that imitates another one puts its own signature
/// behind the imitated one's; up to 0x40001000, because each costs a trip to the hypervisor. They mean something only
/// if the hypervisor bit is set: hardware answers them with whatever the last basic leaf holds.
#[cfg(target_arch = "x86_64")]
#[must_use]
pub fn read() -> Option<Cpuid> {
    use crate::cpuid::Leaf;

    const HYPERVISOR_BIT: u32 = 1 << 31;
    const FIRST_SIGNATURE: u32 = 0x4000_0000;
    const LAST_SIGNATURE: u32 = 0x4000_1000;
    /// Answered by Intel's TDX module in its guests: `IntelTDX`.
    const TDX: u32 = 0x21;

    let hypervisor_bit = leaf(1).ecx & HYPERVISOR_BIT != 0;
    let mut leaves = std::collections::BTreeMap::new();
    if hypervisor_bit {
        let signatures = (FIRST_SIGNATURE..=LAST_SIGNATURE).step_by(0x100);
        let tdx = (leaf(0).eax >= TDX).then_some(TDX);
        for number in tdx.into_iter().chain(signatures) {
            let registers = leaf(number);
            let mut registers = [registers.ebx, registers.ecx, registers.edx];
            if number == TDX {
                // Like the vendor's name, this one is in EBX, EDX, ECX.
                registers.swap(1, 2);
            }
            let bytes = registers.map(u32::to_le_bytes).concat();
            let text = bytes.trim_ascii_end().split(|byte| *byte == 0).next().unwrap_or_default();
            if !text.is_empty() && text.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ') {
                leaves.insert(Leaf(number), String::from_utf8_lossy(text).trim_end().to_owned());
            }
        }
    }
    let is_hyperv = leaves.get(&Leaf(FIRST_SIGNATURE)).is_some_and(|signature| signature == "Microsoft Hv");
    let hyperv_partition = if is_hyperv { hyperv_partition(leaf(FIRST_SIGNATURE).eax) } else { None };
    Some(Cpuid { hypervisor_bit, leaves, hyperv_partition })
}

/// Which of Hyper-V's partitions this is, where the leaves up to `last` tell.
#[cfg(target_arch = "x86_64")]
fn hyperv_partition(last: u32) -> Option<crate::cpuid::HypervPartition> {
    use crate::cpuid::HypervPartition::{Root, SevSnp, Tdx};

    const FEATURES: u32 = 0x4000_0003;
    const ISOLATION: u32 = 0x4000_000C;
    const CPU_MANAGEMENT: u32 = 1 << 12;
    const IS_ISOLATED: u32 = 1 << 22;
    const ISOLATION_TYPE: u32 = 0xf;

    let features = (last >= FEATURES).then(|| leaf(FEATURES).ebx)?;
    if features & CPU_MANAGEMENT != 0 {
        return Some(Root);
    }
    if features & IS_ISOLATED == 0 || last < ISOLATION {
        return None;
    }
    match leaf(ISOLATION).ebx & ISOLATION_TYPE {
        2 => Some(SevSnp),
        3 => Some(Tdx),
        _ => None,
    }
}

#[cfg(target_arch = "x86_64")]
fn leaf(number: u32) -> std::arch::x86_64::CpuidResult {
    std::arch::x86_64::__cpuid(number)
}

/// Executes CPUID leaf 0 once, for its cost alone.
#[cfg(target_arch = "x86_64")]
#[inline]
pub fn execute() {
    std::hint::black_box(leaf(0));
}

/// Executes CPUID leaf 0 once, for its cost alone.
#[cfg(not(target_arch = "x86_64"))]
pub fn execute() {}

/// Whether KVM or Xen reports the time that it gives to others; `None` where nobody says.
#[cfg(not(target_arch = "x86_64"))]
#[must_use]
pub fn reports_steal() -> Option<bool> {
    None
}

/// Whether KVM or Xen reports the time that it gives to others; `None` where nobody says.
///
/// KVM has a bit for it (Documentation/virt/kvm/x86/cpuid.rst: `KVM_FEATURE_STEAL_TIME`), Xen always does.
#[cfg(target_arch = "x86_64")]
#[must_use]
pub fn reports_steal() -> Option<bool> {
    const KVM_FEATURES: u32 = 0x4000_0001;
    const STEAL_TIME: u32 = 1 << 5;

    let signatures = read()?.leaves;
    let names = |known: &str| signatures.values().any(|signature| signature == known);
    // Behind an imitation of Hyper-V, KVM's features are where its signature is.
    let base = signatures.iter().find(|(_, signature)| *signature == "KVMKVMKVM").map(|(base, _)| base.0);
    match base {
        Some(base) => Some(leaf(KVM_FEATURES - 0x4000_0000 + base).eax & STEAL_TIME != 0),
        None => names("XenVMMXenVMM").then_some(true),
    }
}
