//! nf_tables: its generation, and how many rules it has.

use nix::errno::Errno;

use super::{Rules, table_label};
use crate::host::HostFs;
use crate::sys::failure::Failure;
use crate::sys::netlink::{Extent, Netlink, Subject, attributes, text};

/// `NFNL_SUBSYS_NFTABLES` in the upper byte, and the messages (`linux/netfilter/nf_tables.h`).
const SUBSYSTEM: u16 = 10 << 8;
const GET_CHAIN: u16 = SUBSYSTEM | 4;
const GET_RULE: u16 = SUBSYSTEM | 7;
const GET_GENERATION: u16 = SUBSYSTEM | 16;
const NFGENMSG_BYTES: usize = 4;
const NFTA_GEN_ID: u16 = 1;
const NFTA_RULE_TABLE: u16 = 1;
const NFTA_CHAIN_TABLE: u16 = 1;
const NFTA_CHAIN_USE: u16 = 6;

/// `NFPROTO_*`, as nft calls them.
const FAMILIES: [(u8, &str); 6] =
    [(1, "inet"), (2, "ip"), (3, "arp"), (5, "netdev"), (7, "bridge"), (10, "ip6")];

/// Most rules that are counted one by one: the kernel takes three to four microseconds to print each.
const MOST_RULES: u32 = 5_000;

/// Most chains that are asked about.
const MOST_CHAINS: u32 = 20_000;

/// Shortest time between two counts.
const PAUSE_NANOS: u64 = 300_000_000_000;

/// What is known of nf_tables.
#[derive(Debug)]
pub(super) struct Nft {
    /// Whether the kernel may be asked without it loading a module for that.
    is_there: bool,
    is_built_in: bool,
    netlink: Option<Netlink>,
    generation: Option<u32>,
    rules: Rules,
    /// What there may be at most, where rules are too many to be counted.
    at_most: Rules,
    /// Which generation the rules are of, and when they were counted.
    counted: Option<(u32, u64)>,
}

impl Nft {
    pub(super) fn new(fs: &HostFs) -> Self {
        Self {
            is_there: false,
            is_built_in: is_built_in(fs),
            netlink: None,
            generation: None,
            rules: Rules::new(),
            at_most: Rules::new(),
            counted: None,
        }
    }

    /// Looks whether it is loaded.
    ///
    /// # Errors
    ///
    /// Why that cannot be known.
    pub(super) fn find(&mut self, fs: &HostFs) -> Result<(), String> {
        self.is_there = false;
        self.is_there = self.is_built_in || is_loaded(fs)?;
        Ok(())
    }

    /// How many transactions there were since the last look; none at the first.
    ///
    /// # Errors
    ///
    /// The call that failed, or what the kernel answered.
    pub(super) fn rewrites(&mut self) -> Result<u64, Failure> {
        if !self.is_there {
            return Ok(0);
        }
        let mut found = None;
        let asked = self.ask(GET_GENERATION, Extent::One, |body| {
            found = found.or_else(|| generation(body));
            true
        });
        match asked {
            Ok(()) => {}
            // A kernel that was made without it.
            Err(Failure { errno: Errno::EINVAL | Errno::EPROTONOSUPPORT | Errno::EAFNOSUPPORT, .. }) => {
                self.is_there = false;
                self.is_built_in = false;
                return Ok(0);
            }
            Err(failure) => return Err(failure),
        }
        let now = found.ok_or(Failure::answer(Errno::EBADMSG))?;
        let before = self.generation.replace(now);
        Ok(before.map_or(0, |before| u64::from(now.wrapping_sub(before))))
    }

    /// Counts the rules if they may have changed and it is time to; where they are too many, what the chains say.
    ///
    /// # Errors
    ///
    /// The call that failed, or what the kernel answered: `EINTR` where they changed meanwhile, `EOVERFLOW` where even the
    /// chains are too many.
    pub(super) fn rules(&mut self, now: u64) -> Result<(), Failure> {
        let Some(generation) = self.generation.filter(|_| self.is_there) else { return Ok(()) };
        let is_due =
            self.counted.is_none_or(|(of, at)| of != generation && now.saturating_sub(at) >= PAUSE_NANOS);
        if !is_due {
            return Ok(());
        }
        // Also where it fails: that took as long.
        self.counted = Some((generation, now));
        self.rules.clear();
        self.at_most.clear();
        let at_most = self.uses()?;
        let sum = at_most.values().fold(0_u32, |sum, uses| sum.saturating_add(*uses));
        if sum > MOST_RULES {
            self.at_most = at_most;
            return Ok(());
        }
        let mut rules = Rules::new();
        self.ask(GET_RULE, Extent::All, |body| {
            if let Some(rule) = rule(body) {
                *rules.entry(rule).or_default() += 1;
            }
            true
        })?;
        self.rules = rules;
        Ok(())
    }

    /// What each chain is used for, added up: a rule is a use of its chain, and so is a jump to it, from a rule or from an
    /// element of a map (`nft_use_inc` in the kernel's net/netfilter/nf_tables_api.c).
    fn uses(&mut self) -> Result<Rules, Failure> {
        let mut uses = Rules::new();
        let mut count = 0;
        self.ask(GET_CHAIN, Extent::All, |body| {
            count += 1;
            if let Some((table, own)) = chain(body) {
                let sum = uses.entry(table).or_default();
                *sum = sum.saturating_add(own);
            }
            count < MOST_CHAINS
        })?;
        Ok(uses)
    }

    /// Rules at the last count.
    pub(super) const fn counted(&self) -> &Rules {
        &self.rules
    }

    /// What there may be at most, where the last count had to leave it at that.
    pub(super) const fn at_most(&self) -> &Rules {
        &self.at_most
    }

    /// Whether it is loaded.
    pub(super) const fn is_there(&self) -> bool {
        self.is_there
    }

    fn ask(&mut self, kind: u16, extent: Extent, mut each: impl FnMut(&[u8]) -> bool) -> Result<(), Failure> {
        let netlink = match &mut self.netlink {
            Some(netlink) => netlink,
            none => none.insert(Netlink::open(Subject::Netfilter)?),
        };
        let asked = netlink.ask(kind, extent, &[0; NFGENMSG_BYTES], |_, body| each(body));
        if asked.is_err() {
            self.netlink = None;
        }
        asked
    }
}

/// The generation in an answer.
fn generation(body: &[u8]) -> Option<u32> {
    let value = attributes(body.get(NFGENMSG_BYTES..)?).find(|(kind, _)| *kind == NFTA_GEN_ID)?.1;
    value.first_chunk().copied().map(u32::from_be_bytes)
}

/// Family and table, as label values.
type Table = (&'static str, &'static str);

/// The table of a rule.
fn rule(body: &[u8]) -> Option<Table> {
    let name = attributes(body.get(NFGENMSG_BYTES..)?).find(|(kind, _)| *kind == NFTA_RULE_TABLE)?.1;
    table(body, name)
}

/// The table of a chain, and how often the chain is used.
fn chain(body: &[u8]) -> Option<(Table, u32)> {
    let find = |wanted: u16| {
        attributes(body.get(NFGENMSG_BYTES..)?).find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
    };
    let uses = find(NFTA_CHAIN_USE)?.first_chunk().copied().map(u32::from_be_bytes)?;
    Some((table(body, find(NFTA_CHAIN_TABLE)?)?, uses))
}

fn table(body: &[u8], name: &[u8]) -> Option<Table> {
    let family = body.first()?;
    let family = FAMILIES.iter().find(|(number, _)| number == family).map_or("other", |(_, name)| name);
    Some((family, table_label(&text(name))))
}

/// Whether it is among the modules, by `/sys`, or by `/proc` where that is hidden.
fn is_loaded(fs: &HostFs) -> Result<bool, String> {
    let (folder, list) = ("/sys/module", "/proc/modules");
    if fs.exists(folder) == Ok(true) {
        let exists = fs.exists(&format!("{folder}/nf_tables"));
        return exists.map_err(|error| format!("{folder}/nf_tables: {error}"));
    }
    let text = fs.text(list).map_err(|error| format!("{folder} is not to be seen, {list}: {error}"))?;
    Ok(text.lines().any(|line| line.starts_with("nf_tables ")))
}

/// Whether it is part of the kernel's image, so that asking loads nothing. Where the list of those parts is hidden, as
/// in a container, asking may load the module, once: nothing else would tell.
fn is_built_in(fs: &HostFs) -> bool {
    // A kernel without modules.
    if fs.exists("/proc/modules") == Ok(false) {
        return true;
    }
    let release = fs.text("/proc/sys/kernel/osrelease").unwrap_or_default();
    let list = fs.text(&format!("/lib/modules/{}/modules.builtin", release.trim()));
    list.map_or(true, |list| list.lines().any(|line| line.ends_with("/nf_tables.ko")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::netlink::push_attribute;

    #[test]
    fn a_rule_says_whose_it_is() {
        for (family, table, expected) in [
            (2, "filter", ("ip", "filter")),
            (10, "nat", ("ip6", "nat")),
            (1, "kube-proxy", ("inet", "other")),
            (99, "filter", ("other", "filter")),
        ] {
            let mut body = vec![family, 0, 0, 0];
            push_attribute(&mut body, NFTA_RULE_TABLE, format!("{table}\0").as_bytes());
            assert_eq!(rule(&body), Some(expected));
        }
        assert_eq!(rule(&[2]), None);
    }

    #[test]
    fn a_chain_says_how_often_it_is_used() {
        let mut body = vec![2, 0, 0, 0];
        assert_eq!(chain(&body), None);
        push_attribute(&mut body, NFTA_CHAIN_TABLE, b"filter\0");
        assert_eq!(chain(&body), None);
        push_attribute(&mut body, NFTA_CHAIN_USE, &[0, 0, 1, 2]);
        assert_eq!(chain(&body), Some((("ip", "filter"), 258)));
    }

    #[test]
    fn a_generation_is_in_network_byte_order() {
        let mut body = vec![0; NFGENMSG_BYTES];
        push_attribute(&mut body, NFTA_GEN_ID, &[0, 0, 1, 2]);
        assert_eq!(generation(&body), Some(258));
        assert_eq!(generation(&[]), None);
    }

    #[test]
    fn no_module_is_loaded_by_asking() {
        let tree = tempfile::tempdir().unwrap();
        let fs = HostFs::fixture(tree.path());
        let write = |path: &str, text: &str| {
            let path = tree.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        assert!(is_built_in(&fs), "without modules everything is");
        write("proc/modules", "");
        write("proc/sys/kernel/osrelease", "6.1.0\n");
        assert!(is_built_in(&fs), "not known");
        write("lib/modules/6.1.0/modules.builtin", "kernel/net/netfilter/nf_log.ko\n");
        let mut nft = Nft::new(&fs);
        nft.find(&fs).unwrap();
        assert!(!nft.is_there);
        // Where /sys is hidden.
        write("proc/modules", "nf_conntrack 1 0 - Live 0x0\nnf_tables 1 0 - Live 0x0\n");
        nft.find(&fs).unwrap();
        assert!(nft.is_there);
        std::fs::remove_file(tree.path().join("proc/modules")).unwrap();
        assert!(nft.find(&fs).unwrap_err().contains("/proc/modules: not found") && !nft.is_there);
        write("sys/module/nf_tables/refcnt", "0\n");
        nft.find(&fs).unwrap();
        assert!(nft.is_there);
        write("lib/modules/6.1.0/modules.builtin", "kernel/net/netfilter/nf_tables.ko\n");
        assert!(is_built_in(&fs));
    }
}
