//! The page that is served, in a real browser: pictures of what was looked at stay in `out/pages`.

use std::time::Duration;

use tierprobe_tests::chromium::Chromium;
use tierprobe_tests::fake::Fleet;
use tierprobe_tests::inspection::{is_sound, written};
use tierprobe_tests::need::need;
use tierprobe_tests::repository;

use super::answers::decided;
use super::{ask, collector};

fn browser() -> Option<Chromium> {
    need("chromium").map(Chromium::new)
}

/// Sound in all widths, at its own address without a word on the console, and a picture of it.
fn is_served_soundly(browser: &Chromium, name: &str, url: &str, page: &str) -> String {
    let found = is_sound(browser, name, page);
    assert_eq!((found["rows"].as_u64(), found["drawn"].as_u64()), (Some(1), Some(1)), "{found}");
    assert_ne!(found["light"], found["dark"], "{found}");
    let visit = browser.document_at(url);
    assert_eq!(visit.console, Vec::<String>::new(), "{name}");
    let _kept = written(&format!("{name}.html"), page);
    for (width, height) in [(1400, 2400), (360, 2400)] {
        let to = repository(&format!("out/pages/{name}-{width}.png"));
        let shot = browser.screenshot_at(url, (width, height), &to);
        assert_eq!(shot.console, Vec::<String>::new(), "{name}");
    }
    visit.output
}

#[test]
fn the_page_of_a_window_that_is_over_and_of_one_that_is_not_are_sound_in_a_browser() {
    let Some(browser) = browser() else { return };
    let (fleet, folder) = (Fleet::start(Duration::from_millis(200)), tempfile::tempdir().unwrap());
    let collector = decided(&fleet, folder.path());

    let over = ask(&collector, "/", "").1;
    let shown = is_served_soundly(&browser, "served", &collector.url("/"), &over);
    for there in [
        "<aside id=\"collector\" aria-label=\"The collector\">",
        "8 of 8 <a href=\"/api/v1/instances\">targets</a> answer",
        "id=\"window\"",
        "href=\"/?window=live\"",
        "http-equiv=\"refresh\" content=\"60\"",
        "slower",
    ] {
        assert!(shown.contains(there), "no {there:?} in\n{shown}");
    }

    let live = ask(&collector, "/?window=live", "").1;
    let shown = is_served_soundly(&browser, "served-live", &collector.url("/?window=live"), &live);
    for there in
        ["<strong>Live</strong>", "This window is not over", "http-equiv=\"refresh\" content=\"15\"", "live"]
    {
        assert!(shown.contains(there), "no {there:?} in\n{shown}");
    }
    // Its intervals are drawn, and that nothing is decided is said as what it is.
    assert!(shown.contains("the verdicts come when the window is over"), "{shown}");
    assert!(
        !shown.contains("No cost has a value") && shown.contains("class=\"row inconclusive\""),
        "{shown}"
    );
}

#[test]
fn the_page_without_a_comparison_says_why_and_comes_again() {
    let Some(browser) = browser() else { return };
    let (fleet, folder) = (Fleet::start(Duration::from_millis(200)), tempfile::tempdir().unwrap());
    // One tier alone cannot be compared.
    let mut collector = collector(folder.path(), &fleet, 1, &[]);
    collector.wait_until_ready();
    collector.wait_for("/", "the reason", |page| page.contains("id=\"problem\"") && page.contains("vm"));
    let visit = browser.document_at(&collector.url("/"));
    assert_eq!(visit.console, Vec::<String>::new());
    for there in ["id=\"problem\"", "http-equiv=\"refresh\" content=\"15\"", "1 of 1"] {
        assert!(visit.output.contains(there), "no {there:?} in\n{}", visit.output);
    }
    let to = repository("out/pages/served-without-800.png");
    let _seen = browser.screenshot_at(&collector.url("/"), (800, 600), &to);
}
