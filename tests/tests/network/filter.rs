//! A known number of packet filter rules, and rewrites of them.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::libc;
use tierprobe_model::record::Outcome;
use tierprobe_tests::binary;
use tierprobe_tests::confine::seccomp::{self, Refusal};
use tierprobe_tests::namespace::Namespace;
use tierprobe_tests::need::need;
use tierprobe_tests::scrape::value;

use crate::said::{alone, echo, gauge, outcome, record, rounds, serving, smallest};

/// Puts so many rules that never match into the table `filter`, in front of all packets that come in.
fn restore(namespace: &Namespace, program: &Path, rules: usize) {
    let mut text =
        String::from("*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n");
    for rule in 0..rules {
        let (high, low) = (rule / 250, rule % 250 + 1);
        writeln!(text, "-A INPUT -s 198.51.{high}.{low}/32 -p udp -m udp --dport 9 -j DROP").unwrap();
    }
    text.push_str("COMMIT\n");
    feed(namespace, program, &text);
}

/// Has `program` restore what `text` says.
fn feed(namespace: &Namespace, program: &Path, text: &str) {
    let mut child = namespace.command(program.to_str().unwrap()).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{}", program.display());
}

#[test]
fn more_rules_than_are_counted_have_an_upper_bound() {
    let _alone = alone();
    let Some(nft) = need("iptables-nft-restore") else { return };
    let Some(here) = Namespace::new() else { return };
    let numbers = |jumps: usize, rules: usize| {
        let mut text = String::from("*filter\n:INPUT ACCEPT [0:0]\n:OTHER - [0:0]\n");
        for rule in 0..rules {
            writeln!(text, "-A INPUT -s 198.51.{}.{}/32 -j DROP", rule / 250, rule % 250 + 1).unwrap();
        }
        text.extend(std::iter::repeat_n("-A INPUT -p udp -j OTHER\n", jumps));
        text.push_str("-A OTHER -p udp -j RETURN\nCOMMIT\n");
        feed(&here, &nft, &text);
        let flags = ["--probe=netfilter", "--rounds=1"];
        let record = record(here.command(binary::agent().to_str().unwrap()), &flags);
        let labels = [("backend", "nft"), ("family", "ip"), ("table", "filter")];
        ["tierprobe_netfilter_rules", "tierprobe_netfilter_rules_at_most"]
            .map(|family| gauge(&record, family, &labels))
    };
    // A jump is a rule of its chain and a use of the other one.
    assert_eq!(numbers(100, 4799), [Some(4900.0), None]);
    assert_eq!(numbers(100, 4800), [None, Some(5001.0)]);
    assert_eq!(numbers(0, 6000), [None, Some(6001.0)]);
}

#[test]
fn what_may_not_be_asked_of_one_filter_is_asked_of_the_other() {
    let _alone = alone();
    let programs = ["iptables-legacy-restore", "iptables-nft-restore"].map(need);
    let [Some(legacy), Some(nft)] = programs else { return };
    let Some(here) = Namespace::new() else { return };
    restore(&here, &legacy, 10);
    restore(&here, &nft, 10);
    // IPT_SO_GET_INFO of getsockopt(2), and the sockets that nf_tables is asked through.
    let (get_info, netlink) = ((libc::SYS_getsockopt, 2, 64), (libc::SYS_socket, 0, 16));
    let cases = [
        (get_info, "legacy", "nft", "legacy iptables: asking the packet filter: getsockopt: "),
        (netlink, "nft", "legacy", "nf_tables: asking the packet filter: socket: "),
    ];
    for ((call, which, value), lost, left, why) in cases {
        for errno in [Errno::EPERM, Errno::EACCES] {
            let mut command = Command::new(binary::agent());
            let refusal = Refusal { call, argument: Some((which, value)), errno };
            seccomp::confine(&mut command, seccomp::refusing(&[refusal]));
            let record = here.enter(|| record(command, &["--probe=netfilter", "--rounds=1"]));
            let (ended, reason) = outcome(&record, "netfilter");
            assert!(ended == Outcome::Ok && reason.contains(why), "{lost}: {ended}: {reason}");
            let count = |family, backend| gauge(&record, family, &[("backend", backend)]);
            let families = ["tierprobe_netfilter_rules", "tierprobe_netfilter_rewrites_total"];
            assert_eq!(families.map(|family| count(family, left)), [Some(10.0), Some(0.0)], "{lost}");
            assert_eq!(families.map(|family| count(family, lost)), [None, None], "{lost}");
        }
    }
}

/// The agent on one CPU in a namespace: a round trip then has no other placement.
fn on_one_cpu(namespace: &Namespace, taskset: &Path) -> Command {
    let mut command = namespace.command(taskset.to_str().unwrap());
    command.args(["-c", "0", binary::agent().to_str().unwrap()]);
    command
}

#[test]
fn rules_are_counted_and_cost_each_packet() {
    let _alone = alone();
    let programs = ["iptables-legacy-restore", "iptables-nft-restore", "taskset"].map(need);
    let [Some(legacy), Some(nft), Some(taskset)] = programs else { return };
    let (Some(here), Some(there)) = (Namespace::new(), Namespace::new()) else { return };
    here.join(&there);
    let (_echo, _) = echo(on_one_cpu(&there, &taskset), "10.99.0.2:10992");
    let flags = [
        "--probe=network",
        "--probe=netfilter",
        "--rounds=8",
        "--pause=20ms",
        "--probe.network.peer=pair=10.99.0.2:10992",
    ];
    let measure = || record(on_one_cpu(&here, &taskset), &flags);
    let round_trip = |record: &_| {
        let labels = [("path", "pair"), ("protocol", "udp"), ("size", "64"), ("placement", "same_cpu")];
        smallest(&rounds(record, "tierprobe_network_round_trip_seconds", &labels))
    };
    let count = |record: &_, backend: &str| {
        let labels = [("backend", backend), ("family", "ip"), ("table", "filter")];
        gauge(record, "tierprobe_netfilter_rules", &labels)
    };

    let without = measure();
    assert_eq!((count(&without, "legacy"), count(&without, "nft")), (None, None), "there is no table yet");
    let across = rounds(&without, "tierprobe_network_round_trip_seconds", &[("placement", "cross_cpu")]);
    assert!(across.is_empty(), "on one CPU there is no other");
    let mut costs = Vec::new();
    for (backend, program) in [("legacy", &legacy), ("nft", &nft)] {
        let mut before = round_trip(&without);
        costs.push((backend, 0, before));
        for rules in [1000_u32, 5000] {
            restore(&here, program, rules as usize);
            let with = measure();
            assert_eq!(count(&with, backend), Some(f64::from(rules)), "{backend}");
            let cost = round_trip(&with);
            costs.push((backend, rules, cost));
            assert!(cost > before, "{backend}: {rules} rules cost less than fewer: {costs:?}");
            before = cost;
        }
        // Five thousand rules cost at least a nanosecond each, on any machine.
        assert!(before > round_trip(&without) + 5e-6, "{costs:?}");
        restore(&here, program, 0);
    }
    for (backend, rules, cost) in &costs {
        println!("{backend} {rules}: {:.1} µs", cost * 1e6);
    }
    // nf_tables walks a list of rules; legacy reads them in a row.
    assert!(costs[5].2 > costs[2].2, "{costs:?}");
}

#[test]
fn a_rewrite_is_noticed_and_followed_by_a_burst_and_its_control() {
    let _alone = alone();
    let programs = ["iptables-legacy-restore", "iptables-nft-restore"].map(need);
    let [Some(legacy), Some(nft)] = programs else { return };
    let (Some(here), Some(there)) = (Namespace::new(), Namespace::new()) else { return };
    here.join(&there);
    let (_echo, _) = there.enter(|| echo(Command::new(binary::agent()), "10.99.0.2:10992"));
    restore(&here, &legacy, 10);
    restore(&here, &nft, 10);
    let rewrites = |text: &str, backend: &str| {
        value(text, &format!("tierprobe_netfilter_rewrites_total{{backend=\"{backend}\"}}"))
    };
    let burst = |text: &str, window: &str| {
        value(text, &format!("tierprobe_netfilter_burst_delay_seconds_count{{window=\"{window}\"}}"))
    };
    let mut agent = here.enter(|| serving(&["--probe.network.peer=pair=10.99.0.2:10992"]));
    let first = here.enter(|| agent.metrics());
    assert_eq!((rewrites(&first, "legacy"), rewrites(&first, "nft")), (Some(0.0), Some(0.0)), "at the start");
    assert_eq!((burst(&first, "rewrite"), burst(&first, "quiet")), (None, None), "at the start");

    restore(&here, &nft, 11);
    restore(&here, &legacy, 12);
    let text = here.enter(|| agent.wait_for_metrics("a burst", |text| burst(text, "rewrite").is_some()));
    assert_eq!(rewrites(&text, "legacy"), Some(1.0));
    assert!(rewrites(&text, "nft") >= Some(1.0));
    assert_eq!(burst(&text, "quiet"), None);
    let text = here.enter(|| agent.wait_for_metrics("its control", |text| burst(text, "quiet").is_some()));
    for window in ["rewrite", "quiet"] {
        let lost = value(&text, &format!("tierprobe_netfilter_burst_lost_total{{window=\"{window}\"}}"));
        assert_eq!(burst(&text, window).zip(lost).map(|(there, lost)| there + lost), Some(300.0), "{window}");
    }
    assert_eq!(rewrites(&text, "legacy"), Some(1.0));
}
