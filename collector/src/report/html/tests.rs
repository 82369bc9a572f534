use base64::Engine as _;
use sha2::Digest as _;

use super::*;
use crate::compare::{Comparison, Options, compare};
use crate::dataset::Dataset;
use crate::observation::{Collected, Instance, Labels, Observation, Statistic};

/// Hosts of a group, with rounds of one system call that take `seconds` each, and a gauge.
pub(super) fn group(tier: &str, hosts: u32, seconds: f64) -> Vec<Collected> {
    (0..hosts)
        .map(|host| {
            let value = |round: u32| seconds * (1.0 + 0.002 * f64::from((host * 7 + round * 3) % 11));
            let observation = |round: u32| Observation {
                family: "tierprobe_syscall_seconds".into(),
                labels: Labels::from([("syscall".into(), "getppid".into())]),
                statistic: Statistic::P50,
                timestamp: 1_700_000_000.0 + 15.0 * f64::from(round),
                value: value(round),
                disturbed: round % 10 == 3,
            };
            let labels = [("tier", tier), ("kernel", "own"), ("hypervisor", "kvm")];
            Collected {
                source: format!("{tier}-{host}.json"),
                instance: Instance {
                    name: format!("{tier}-{host}"),
                    labels: labels.map(|(label, value)| (label.into(), value.into())).into(),
                    tier_confidence: Some(if host == 0 { 0.6 } else { 0.97 }),
                    ..Instance::default()
                },
                observations: (0..40).map(observation).collect(),
                ..Collected::default()
            }
        })
        .collect()
}

fn compared(collected: Vec<Collected>) -> (Comparison, Dataset, Options) {
    let (dataset, options) = (Dataset::new(collected), Options::default());
    (compare(&dataset, &options).unwrap(), dataset, options)
}

fn page_of(collected: Vec<Collected>) -> String {
    let (comparison, dataset, options) = compared(collected);
    page(&Input::new(&comparison, &dataset, &options))
}

#[test]
fn the_policy_lets_in_this_style_sheet_and_no_other() {
    let hash = base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(STYLE));
    assert_eq!(STYLE_HASH, hash, "page.css has changed: so must STYLE_HASH");
}

#[test]
fn findings_are_sentences() {
    let page = page_of([group("vm", 6, 200e-9), group("container_in_vm", 5, 250e-9)].concat());
    assert!(page.contains("In a container in a VM a system call (getppid) takes 25 % longer"), "{page}");
    assert!(page.contains("95 % sure; 6 and 5 hosts"), "{page}");
    assert!(page.contains("<title>container_in_vm against vm</title>"), "{page}");
}

#[test]
fn sentences_on_some_of_many_costs_are_surer() {
    let with_equal_costs = |tier: &str, seconds: f64| {
        let mut hosts = group(tier, 5, seconds);
        for host in &mut hosts {
            let equal = |observation: &Observation, at: u32| Observation {
                labels: Labels::from([("syscall".into(), format!("equal {at}"))]),
                value: observation.value * 200e-9 / seconds,
                ..observation.clone()
            };
            let rounds = std::mem::take(&mut host.observations);
            let all = (0..9).flat_map(|at| rounds.iter().map(move |round| equal(round, at)));
            host.observations = all.chain(rounds.iter().cloned()).collect();
        }
        hosts
    };
    let page =
        page_of([with_equal_costs("vm", 200e-9), with_equal_costs("container_in_vm", 250e-9)].concat());
    assert!(page.contains("99.5 % sure; 5 and 5 hosts"), "one of ten: {page}");
}

#[test]
fn what_may_be_the_reason_stands_beside_the_sentence_and_the_verdict() {
    let in_rack = |tier: &str, seconds: f64, rack: &str| {
        let mut hosts = group(tier, 5, seconds);
        hosts.iter_mut().for_each(|host| {
            host.instance.labels.insert("rack".into(), rack.into());
        });
        hosts
    };
    let page = |racks: [&str; 2]| {
        page_of([in_rack("vm", 200e-9, racks[0]), in_rack("container_in_vm", 250e-9, racks[1])].concat())
    };
    let apart = page(["a", "b"]);
    for words in ["5 and 5 hosts; confounded)", "slower*", "*: confounded, as the sides differ"] {
        assert!(apart.contains(words), "{words}: {apart}");
    }
    assert!(!page(["a", "a"]).contains("confounded"));
}

#[test]
fn ranks_stand_beside_the_ratios() {
    let page = page_of([group("vm", 6, 200e-9), group("container_in_vm", 5, 250e-9)].concat());
    let ranks = page.split("The same by ranks").nth(1).unwrap().split("</details>").next().unwrap();
    assert!(ranks.contains("syscall getppid: 1.25 [1.2"), "{ranks}");
    let few = page_of([group("vm", 3, 200e-9), group("container_in_vm", 5, 250e-9)].concat());
    assert!(!few.contains("The same by ranks"));
}

#[test]
fn what_is_not_decided_says_what_would_be_needed() {
    let page = page_of([group("vm", 2, 200e-9), group("container_in_vm", 1, 250e-9)].concat());
    assert!(page.contains("Needed: 4 hosts a side or more"), "{page}");
}

#[test]
fn what_was_not_measured_is_said_and_never_made_up() {
    let page = page_of([group("vm", 4, 200e-9), group("container_in_vm", 4, 250e-9)].concat());
    let matrix = page.split("id=\"decision\"").nth(1).unwrap().split("</section>").next().unwrap();
    for criterion in ["Isolation", "Memory", "Start", "System call", "Network", "Storage", "Density"] {
        assert!(matrix.contains(criterion), "{criterion}: {matrix}");
    }
    // Memory, start, network, storage, density, seccomp and privileges, on both sides.
    assert_eq!(matrix.matches("not measured").count(), 14, "{matrix}");
    assert!(matrix.contains("202 ns") && !matrix.contains(">0 "), "{matrix}");
}

#[test]
fn density_is_what_the_memory_of_a_host_holds() {
    let with_memory = |tier: &str, mebibytes: f64| {
        let mut hosts = group(tier, 4, 200e-9);
        for host in &mut hosts {
            host.observations.push(Observation {
                family: "tierprobe_lab_host_memory_bytes".into(),
                labels: Labels::from([("part".into(), "processes".into())]),
                statistic: Statistic::Value,
                timestamp: 1_700_000_100.0,
                value: mebibytes * 1_048_576.0,
                disturbed: false,
            });
        }
        hosts
    };
    let page = page_of([with_memory("vm", 96.0), with_memory("container_in_vm", 3.0)].concat());
    assert!(page.contains("at most 10.0<") && page.contains("at most 341<"), "{page}");
}

#[test]
fn labels_of_strangers_are_text() {
    let hostile = "<script>alert(1)</script>\"'&<img src=http://example.invalid/x>";
    let mut collected = [group("vm", 4, 200e-9), group(hostile, 4, 250e-9)].concat();
    for one in &mut collected {
        one.source = hostile.into();
        one.instance.name.push_str(hostile);
        one.instance.labels.insert("hypervisor".into(), hostile.into());
        one.help.insert("tierprobe_syscall_seconds".into(), hostile.into());
        for observation in &mut one.observations {
            observation.labels.insert("syscall".into(), hostile.into());
        }
    }
    let (comparison, dataset, options) = compared(collected);
    let notes = [hostile.to_owned()];
    let page = page(&Input { notes: &notes, ..Input::new(&comparison, &dataset, &options) });
    assert!(page.contains("&lt;script&gt;"));
    for markup in ["<script", "<img", "\"'&<"] {
        assert!(!page.contains(markup), "{markup}");
    }
}

#[test]
fn the_page_asks_for_nothing() {
    let page = page_of([group("vm", 4, 200e-9), group("container_in_vm", 4, 250e-9)].concat());
    for word in ["http://", "https://", "//cdn", "<script", "<link", "<img", "@import", "url(", " style="] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(page.contains("default-src 'none'"));
    assert!(!page.contains("http-equiv=\"refresh\""));
}

#[test]
fn a_page_that_is_served_is_asked_for_again() {
    let (comparison, dataset, options) =
        compared([group("vm", 4, 200e-9), group("container_in_vm", 4, 250e-9)].concat());
    let input = Input { refresh_seconds: Some(30), ..Input::new(&comparison, &dataset, &options) };
    assert!(page(&input).contains("<meta http-equiv=\"refresh\" content=\"30\">"));
    assert_eq!(page(&input), page(&input));
}

#[test]
fn tiers_that_are_not_sure_are_flagged() {
    let page = page_of([group("vm", 4, 200e-9), group("container_in_vm", 4, 250e-9)].concat());
    assert!(page.contains("60 to 97 %") && page.contains("Not sure, below 90 %: vm-0."), "{page}");
}

/// The page of a fleet with so many hosts a side, each a source of its own, and as many sources that gave nothing.
fn page_of_fleet(hosts: u32) -> String {
    let collected = [group("vm", hosts, 200e-9), group("container_in_vm", hosts, 250e-9)].concat();
    let dropped = (0..hosts).map(|at| crate::source::Dropped {
        source: format!("http://host-{at:05}.example:10990/metrics"),
        // One in ten has a reason that no other has.
        reason: if at % 10 == 0 { format!("host-{at:05} is unknown") } else { "connection refused".into() },
    });
    let dataset = Dataset::new(collected).with_dropped(dropped.collect());
    let options = Options::default();
    let comparison = compare(&dataset, &options).unwrap();
    page(&Input::new(&comparison, &dataset, &options))
}

#[test]
fn a_page_does_not_grow_with_the_fleet() {
    let (small, large) = (page_of_fleet(200), page_of_fleet(1000));
    // Numbers get a digit more.
    assert!(large.len() < small.len() + 2000, "{} and {} bytes", small.len(), large.len());
    assert!(large.len() < 150_000, "{} bytes", large.len());
}

#[test]
fn a_fleet_keeps_its_warnings() {
    let page = page_of_fleet(1000);
    let warnings = page.split("id=\"warnings\"").nth(1).unwrap().split("</section>").next().unwrap();
    assert!(warnings.contains("and 896 more") && warnings.contains("connection refused."), "{warnings}");
    assert!(warnings.contains("host-00000 is unknown."), "{warnings}");
    // Of a hundred reasons of their own eleven are told.
    assert!(warnings.contains("89 more sources"), "{warnings}");
    assert!(warnings.contains("vm-0 (60 % sure)"), "{warnings}");
    assert!(page.contains("1900 more sources, each with 40 observations or more"));
}
