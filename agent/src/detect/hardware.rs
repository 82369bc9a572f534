//! Hardware by its DMI strings: names of makers, what they leave unfilled, and shapes that only hardware has.
//!
//! To add a maker, add the beginning of what it writes as `sys_vendor`, in lower case. What is not listed is told by
//! the shape of its case, so that the list need not be complete.

/// Makers. The names stand in `/sys/class/dmi/id/sys_vendor` of the machines of `linuxhw/DMI`.
const MAKERS: &[&str] = &[
    "acer",
    "advantech",
    "aic",
    "alienware",
    "ampere",
    "apple inc",
    "asrock",
    "asus",
    "asustek",
    "biostar",
    "bull",
    "casper",
    "cavium",
    "celestica",
    "chuwi",
    "cisco",
    "compaq",
    "cray",
    "dell",
    "digma",
    "dynabook",
    "ecs",
    "elitegroup",
    "emachines",
    "foxconn",
    "framework",
    "fujitsu",
    "gateway",
    "getac",
    "giga-byte",
    "gigabyte",
    "h3c",
    "haier",
    "hewlett",
    "hisilicon",
    "hitachi",
    "honor",
    "hp",
    "hpe",
    "huawei",
    "iei",
    "inspur",
    "intel",
    "inventec",
    "kontron",
    "lemaker",
    "lenovo",
    "lg electronics",
    "loongson",
    "marvell",
    "mechrevo",
    "medion",
    "micro-star",
    "mitac",
    "msi",
    "nec",
    "nettrix",
    "new h3c",
    "nokia",
    "notebook",
    "nvidia",
    "nxp",
    "oracle corporation",
    "packard bell",
    "panasonic",
    "pc engines",
    "pegatron",
    "penguin",
    "phytium",
    "positivo",
    "protectli",
    "purism",
    "qualcomm",
    "quanta",
    "razer",
    "raspberry pi",
    "samsung electronics",
    "sgi",
    "shuttle",
    "silicon graphics",
    "slimbook",
    "solidrun",
    "sony",
    "starlabs",
    "star labs",
    "sugon",
    "sun microsystems",
    "supermicro",
    "system76",
    "timi",
    "toshiba",
    "tuxedo",
    "tyan",
    "valve",
    "wistron",
    "wiwynn",
    "xfusion",
    "xiaomi",
    "zotac",
    "zte",
    // `IBM` also names POWER servers.
    "ibm",
];

/// What makers of boards leave for makers of machines to fill in. Monitors of virtual machines fill in something.
const UNFILLED: &[&str] =
    &["to be filled by o.e.m", "system manufacturer", "default string", "o.e.m", "oem", "system vendor"];

/// Makers of firmware for hardware. Hyper-V's first generation has AMI's, and VMware Phoenix's, both with names of
/// their own beside it.
const FIRMWARE: &[&str] = &["american megatrends", "award", "coreboot", "insyde", "libreboot", "phoenix"];

/// Types of case that no monitor claims, of SMBIOS (DMTF DSP0134, section 7.4.1): towers, portables, servers, tablets
/// and so on, without "other" and "unknown", and without "desktop", which is Hyper-V's.
const CASES: &[&str] = &[
    "4", "5", "6", "7", "8", "9", "10", "11", "13", "14", "15", "16", "17", "23", "25", "28", "29", "30",
    "31", "32", "34", "35", "36",
];

/// Whether the text begins with these words: what follows is neither letter nor digit.
#[must_use]
pub(super) fn starts_with_words(text: &str, words: &str) -> bool {
    text.strip_prefix(words).is_some_and(|rest| {
        let ends = !words.ends_with(|c: char| c.is_alphanumeric());
        ends || !rest.starts_with(|c: char| c.is_alphanumeric())
    })
}

/// Which field of DMI tells of hardware, and how surely; `field` gives the text of one.
pub(super) fn told_by<'a>(field: impl Fn(&str) -> Option<&'a str>) -> Option<(&'static str, f64)> {
    let starts = |name: &str, known: &[&str]| {
        let text = field(name).unwrap_or_default().to_lowercase();
        known.iter().any(|known| starts_with_words(&text, known))
    };
    // Microsoft makes computers and virtual ones; only the latter are called so.
    let microsoft = starts("sys_vendor", &["microsoft corporation"])
        && field("product_name").is_some_and(|name| !name.is_empty() && !name.contains("Virtual"));
    // VirtualBox writes Oracle for the maker of its board, VMware Intel.
    if microsoft || starts("sys_vendor", MAKERS) {
        Some(("sys_vendor", 0.8))
    } else if starts("sys_vendor", UNFILLED) {
        Some(("sys_vendor", 0.7))
    } else if CASES.contains(&field("chassis_type").unwrap_or_default()) {
        Some(("chassis_type", 0.7))
    } else if starts("bios_vendor", FIRMWARE) {
        Some(("bios_vendor", 0.6))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(vendor: &str, product: &str, case: &str) -> Option<&'static str> {
        let field = |name: &str| match name {
            "sys_vendor" => Some(vendor.to_owned()),
            "product_name" => Some(product.to_owned()),
            "chassis_type" => Some(case.to_owned()),
            _ => None,
        };
        let texts: Vec<(&str, String)> = ["sys_vendor", "product_name", "chassis_type"]
            .into_iter()
            .filter_map(|name| Some((name, field(name)?)))
            .collect();
        told_by(|name| texts.iter().find(|(known, _)| *known == name).map(|(_, text)| text.as_str()))
            .map(|(name, _)| name)
    }

    #[test]
    fn a_maker_is_known_in_capitals_too_and_not_by_half_a_word() {
        assert_eq!(of("FUJITSU", "PRIMERGY RX2540 M4", "1"), Some("sys_vendor"));
        assert_eq!(of("Hewlett-Packard", "", "1"), Some("sys_vendor"));
        assert_eq!(of("Necromancer", "", "1"), None);
    }

    #[test]
    fn an_unknown_maker_is_told_by_its_case() {
        assert_eq!(of("XENON Systems", "RADON Duo", "23"), Some("chassis_type"));
        assert_eq!(of("To Be Filled By O.E.M.", "To Be Filled By O.E.M.", "2"), Some("sys_vendor"));
        assert_eq!(of("Somebody", "Something", "1"), None);
    }

    #[test]
    fn microsoft_makes_both() {
        assert_eq!(of("Microsoft Corporation", "Surface Pro 7", "9"), Some("sys_vendor"));
        assert_eq!(of("Microsoft Corporation", "Virtual Machine", "3"), None);
    }

    #[test]
    fn words_end_where_neither_letter_nor_digit_follows() {
        assert!(starts_with_words("Xen", "Xen"));
        assert!(starts_with_words("VMware, Inc.", "VMware"));
        assert!(!starts_with_words("KVM8000", "KVM"));
        assert!(!starts_with_words("XENON Systems", "XEN"));
        assert!(starts_with_words("Standard PC (Q35)", "Standard PC ("));
    }
}
