//! `/proc/meminfo`: the lines that the probe needs, as far as they are there.
//!
//! Not every such file is the kernel's: gVisor leaves out half of its lines, and LXCFS makes up some and passes the
//! machine's on for the rest, so that a parser that insists on all of them would refuse both. See proc(5).

/// Bytes by line; `None` where the line is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Meminfo {
    /// All that the kernel manages.
    pub total: u64,
    /// What nobody holds.
    pub free: u64,
    /// What new work could have without swapping; since Linux 3.14.
    pub available: Option<u64>,
    /// Page cache of block devices.
    pub buffers: Option<u64>,
    /// Page cache of files, with shared memory.
    pub cached: Option<u64>,
    /// Shared memory and tmpfs.
    pub shmem: Option<u64>,
    /// Anonymous memory in page tables.
    pub anon_pages: Option<u64>,
    /// The kernel's small objects.
    pub slab: Option<u64>,
    /// Stacks of threads in the kernel.
    pub kernel_stack: Option<u64>,
    /// Page tables of processes.
    pub page_tables: Option<u64>,
    /// Areas that each CPU has its own copy of; since Linux 4.20.
    pub per_cpu: Option<u64>,
    /// Pools of huge pages, used or not; since Linux 4.16.
    pub hugetlb: Option<u64>,
}

impl Meminfo {
    /// Reads the file's text.
    ///
    /// # Errors
    ///
    /// What is missing, or which line is none.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut memory = Self::default();
        let (mut total, mut free) = (None, None);
        for line in text.lines() {
            let Some((name, value)) = line.split_once(':') else { continue };
            let field = match name {
                "MemTotal" => &mut total,
                "MemFree" => &mut free,
                "MemAvailable" => &mut memory.available,
                "Buffers" => &mut memory.buffers,
                "Cached" => &mut memory.cached,
                "Shmem" => &mut memory.shmem,
                "AnonPages" => &mut memory.anon_pages,
                "Slab" => &mut memory.slab,
                "KernelStack" => &mut memory.kernel_stack,
                "PageTables" => &mut memory.page_tables,
                "Percpu" => &mut memory.per_cpu,
                "Hugetlb" => &mut memory.hugetlb,
                _ => continue,
            };
            let bytes = kibibytes(value);
            *field = Some(
                bytes.ok_or_else(|| format!("{:?} is no amount in kB", crate::printable::printable(line)))?,
            );
        }
        memory.total = total.ok_or("no MemTotal")?;
        memory.free = free.ok_or("no MemFree")?;
        Ok(memory)
    }

    /// Page cache. Cached counts shared memory too.
    pub(super) fn page_cache(&self) -> u64 {
        let all = self.cached.unwrap_or(0).saturating_add(self.buffers.unwrap_or(0));
        all.saturating_sub(self.shmem.unwrap_or(0))
    }

    /// The parts that are itemised, and the rest; they add up to the total.
    ///
    /// Where `is_made_up`, some lines are the container's and others the machine's: only the container's are parts of it.
    ///
    /// # Errors
    ///
    /// When the parts are more than the whole.
    pub(super) fn parts(&self, is_made_up: bool) -> Result<Vec<(&'static str, u64)>, String> {
        let machines = |bytes: Option<u64>| if is_made_up { None } else { bytes };
        let itemised = [
            ("free", Some(self.free)),
            ("slab", self.slab),
            ("kernel_stack", machines(self.kernel_stack)),
            ("page_tables", machines(self.page_tables)),
            ("per_cpu", machines(self.per_cpu)),
            ("hugetlb", machines(self.hugetlb)),
            ("anonymous", self.anon_pages),
            ("shared", self.shmem),
            ("page_cache", self.cached.map(|_| self.page_cache())),
        ];
        let mut parts: Vec<(&'static str, u64)> =
            itemised.into_iter().filter_map(|(part, bytes)| Some((part, bytes?))).collect();
        // A sum that does not fit is more than any whole.
        let sum = parts.iter().try_fold(0_u64, |sum, (_, bytes)| sum.checked_add(*bytes));
        let sum = sum.ok_or_else(|| format!("its parts are more than MemTotal, {}", self.total))?;
        // Counted while it runs: the sum may pass the total by a few pages, never by more.
        if sum > self.total.saturating_add(self.total / 100) {
            return Err(format!("its parts add up to {sum} bytes, more than MemTotal, {}", self.total));
        }
        parts.push(("other", self.total.saturating_sub(sum)));
        Ok(parts)
    }
}

/// `   1234 kB` in bytes.
fn kibibytes(value: &str) -> Option<u64> {
    value.trim().strip_suffix("kB")?.trim_end().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A guest of 512 MiB with Debian 12.
    const DEBIAN: &str = "MemTotal:         480272 kB\nMemFree:          302676 kB\nMemAvailable:     425184 kB\n\
        Buffers:            3208 kB\nCached:           114972 kB\nSwapCached:            0 kB\n\
        AnonPages:         13984 kB\nMapped:            29788 kB\nShmem:               340 kB\n\
        KReclaimable:      16148 kB\nSlab:              27656 kB\nKernelStack:        1264 kB\n\
        PageTables:         1376 kB\nSecPageTables:         0 kB\nVmallocTotal:   13743895347199 kB\n\
        Percpu:              364 kB\nHugePages_Total:       0\nHugetlb:               0 kB\n";
    /// gVisor of 2022, all of it but for what nobody reads.
    const GVISOR: &str = "MemTotal:       24684084 kB\nMemFree:        24681596 kB\nMemAvailable:   24681596 kB\n\
        Buffers:               0 kB\nCached:             1548 kB\nSwapCache:             0 kB\n\
        Dirty:                 0 kB\nAnonPages:           928 kB\nMapped:             1548 kB\nShmem:                 0 kB\n";
    /// LXCFS 5.0.3 in a control group of 64 MiB: the last three lines are those of a machine with 24 GiB.
    const LXCFS: &str = "MemTotal:          65536 kB\nMemFree:           64616 kB\nMemAvailable:      64616 kB\n\
        Buffers:               0 kB\nCached:                0 kB\nAnonPages:           272 kB\nShmem:                 0 kB\n\
        Slab:                  0 kB\nKernelStack:        2976 kB\nPageTables:        15536 kB\nPercpu:              712 kB\n";

    fn sum(parts: &[(&str, u64)]) -> u64 {
        parts.iter().map(|(_, bytes)| bytes).sum()
    }

    #[test]
    fn the_parts_of_a_machine_add_up() {
        let memory = Meminfo::parse(DEBIAN).unwrap();
        let parts = memory.parts(false).unwrap();
        assert_eq!(sum(&parts), 480_272 << 10);
        assert!(parts.contains(&("page_cache", 117_840 << 10)), "{parts:?}");
        assert!(parts.contains(&("other", 14_772 << 10)), "{parts:?}");
        assert_eq!(memory.available, Some(425_184 << 10));
    }

    #[test]
    fn what_a_sandbox_leaves_out_is_absent() {
        let parts = Meminfo::parse(GVISOR).unwrap().parts(false).unwrap();
        let names: Vec<&str> = parts.iter().map(|(part, _)| *part).collect();
        assert_eq!(names, ["free", "anonymous", "shared", "page_cache", "other"]);
        assert_eq!(sum(&parts), 24_684_084 << 10);
    }

    #[test]
    fn what_is_the_machines_is_no_part_of_a_container() {
        let memory = Meminfo::parse(LXCFS).unwrap();
        let parts = memory.parts(true).unwrap();
        assert_eq!(sum(&parts), 64 << 20);
        assert!(parts.iter().all(|(part, _)| !["kernel_stack", "page_tables", "per_cpu"].contains(part)));
        let error = memory.parts(false).unwrap_err();
        assert!(error.contains("more than MemTotal, 67108864"), "{error}");
    }

    #[test]
    fn a_kernel_older_than_an_estimate_has_none() {
        let old = DEBIAN.replace("MemAvailable", "MemAvailed");
        assert_eq!(Meminfo::parse(&old).unwrap().available, None);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, why) in [
            ("", "no MemTotal"),
            ("MemTotal: 5 kB\n", "no MemFree"),
            ("MemTotal: much kB\n", "\"MemTotal: much kB\" is no amount in kB"),
            ("MemTotal: 5 MB\n", "no amount"),
            ("MemTotal: 18446744073709551615 kB\n", "no amount"),
        ] {
            let error = Meminfo::parse(text).unwrap_err();
            assert!(error.contains(why), "{text:?}: {error}");
        }
    }

    proptest! {
        #[test]
        fn whatever_the_lines_say_the_parts_add_up_or_are_refused(
            lines in prop::collection::vec(("MemTotal|MemFree|Buffers|Cached|Shmem|Slab|AnonPages|Percpu|Junk", any::<u64>()), 0..12),
            is_made_up: bool,
        ) {
            let text: String = lines.iter().map(|(name, value)| format!("{name}: {} kB\n", value >> 10)).collect();
            if let Ok(memory) = Meminfo::parse(&text)
                && let Ok(parts) = memory.parts(is_made_up)
            {
                let sum: u128 = parts.iter().map(|(_, bytes)| u128::from(*bytes)).sum();
                prop_assert!(sum >= u128::from(memory.total));
                prop_assert!(sum <= u128::from(memory.total) + u128::from(memory.total / 100));
            }
        }

        #[test]
        fn no_text_is_too_strange(text in "[A-Za-z: 0-9kB\n]{0,200}") {
            let _any_answer_will_do = Meminfo::parse(&text);
        }
    }
}
