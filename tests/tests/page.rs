//! The page in a real browser: complete, in any width, light and dark, printed, and without a word to anybody.
//!
//! Pictures of what was looked at stay in `out/pages`.

use tierprobe_tests::chromium::Chromium;
use tierprobe_tests::inspection::{is_sound, written};
use tierprobe_tests::need::need;
use tierprobe_tests::pages::{COSTS, Drawn, Tier};
use tierprobe_tests::repository;

fn browser() -> Option<Chromium> {
    need("chromium").map(Chromium::new)
}

/// Two tiers of a fleet, with a label that nobody would want.
fn fleet() -> Drawn {
    let long = "/a/very/long/path/that/somebody/has/named/without/any/blank/in/it/and/still/goes/on<b>&\"'";
    let labels = [("directory", long), ("operation", "read_direct")];
    let costs = [COSTS, &[("tierprobe_storage_seconds", labels.as_slice(), 2e-4)]].concat();
    let dearer = |family: &str| {
        Some(if family.contains("syscall") {
            1.25
        } else if family.contains("storage") {
            1.34
        } else {
            1.0
        })
    };
    let vm = Tier { name: "vm", hosts: 14, ratio: |_| Some(1.0) };
    Drawn::of(&[vm, Tier { name: "container_in_vm", hosts: 22, ratio: dearer }], &costs)
}

/// All tiers, with ratios from a hundredth to 763.
fn all_tiers() -> Drawn {
    let tier = |name, hosts, ratio| Tier { name, hosts, ratio };
    Drawn::of(
        &[
            tier("bare_metal", 5, |_| Some(1.0)),
            tier("vm", 6, |family| Some(if family.contains("vm_exit") { 27.0 } else { 1.04 })),
            tier("microvm", 3, |family| Some(if family.contains("memory") { 0.01 } else { 1.02 })),
            tier("container", 5, |_| Some(1.01)),
            tier("container_in_vm", 5, |_| Some(1.1)),
            tier("container_in_microvm", 2, |_| Some(1.08)),
            tier("sandbox", 4, |family| if family.contains("vm_exit") { None } else { Some(2.5) }),
            tier("unknown", 5, |family| Some(if family.contains("page_fault") { 763.0 } else { 0.5 })),
        ],
        COSTS,
    )
}

fn one_host_a_side() -> Drawn {
    let tier = |name, ratio| Tier { name, hosts: 1, ratio };
    Drawn::of(&[tier("vm", |_| Some(1.0)), tier("container_in_vm", |_| Some(1.002))], COSTS)
}

#[test]
fn a_fleet_is_sound_in_any_width_and_can_be_printed() {
    let Some(browser) = browser() else { return };
    let page = fleet().page();
    let found = is_sound(&browser, "fleet", &page);
    // A row for each cost, each drawn, with its verdict in words.
    assert_eq!(found["rows"], COSTS.len() + 1);
    assert_eq!(found["drawn"], COSTS.len() + 1);
    assert!(found["charts"].as_u64().unwrap() >= 30, "{found}");
    // Without a script, the style sheet filters and changes the theme.
    assert!(found["differences"].as_u64().unwrap() < found["rows"].as_u64().unwrap(), "{found}");
    assert_ne!(found["light"], found["dark"], "{found}");

    let file = written("fleet.html", &page);
    let folder = repository("out/pages");
    browser.screenshot(&file, (1400, 3000), &folder.join("fleet-1400.png"));
    let dark = page.replace("id=\"theme-auto\" checked", "id=\"theme-auto\"");
    let dark = written("fleet-dark.html", &dark.replace("id=\"theme-dark\"", "id=\"theme-dark\" checked"));
    browser.screenshot(&dark, (800, 3000), &folder.join("fleet-dark-800.png"));
    let pdf = browser.pdf(&file, &folder.join("fleet.pdf"));
    assert!(pdf.starts_with(b"%PDF") && pdf.len() > 50_000, "{} bytes", pdf.len());
}

#[test]
fn all_tiers_and_huge_ratios_are_sound() {
    let Some(browser) = browser() else { return };
    let page = all_tiers().page();
    let _nothing_more_to_see = is_sound(&browser, "all", &page);
    let file = written("all.html", &page);
    browser.screenshot(&file, (1400, 6000), &repository("out/pages/all-1400.png"));
}

#[test]
fn one_host_a_side_is_sound() {
    let Some(browser) = browser() else { return };
    let page = one_host_a_side().page();
    let _nothing_more_to_see = is_sound(&browser, "one", &page);
    let file = written("one.html", &page);
    browser.screenshot(&file, (800, 3000), &repository("out/pages/one-800.png"));
}

#[test]
fn a_page_that_was_tampered_with_loads_nothing_and_the_console_says_so() {
    let Some(browser) = browser() else { return };
    let intruder = "<main><img src=\"http://127.0.0.1:9/x\"><script>document.title='run'</script>\
                    <style>main{display:none}</style>";
    let page = one_host_a_side().page().replacen("<main>", intruder, 1);
    let visit = browser.document(&written("tampered.html", &page));
    for what in ["img-src", "script-src", "style-src"] {
        let said = visit.console.iter().any(|line| line.contains(what) || line.contains("default-src"));
        assert!(said, "{what}: {:#?}", visit.console);
    }
    assert!(visit.console.len() >= 3, "{:#?}", visit.console);
    assert!(!visit.output.contains("<title>run</title>"));
}
