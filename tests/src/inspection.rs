//! Looks at a page of ours in a real browser, in frames of several widths, and says what is wrong with it.
//!
//! Pages and pictures of what was looked at stay in `out/pages`.

use std::path::PathBuf;

use serde_json::Value;

use crate::chromium::Chromium;
use crate::repository;

/// What looks.
const INSPECT: &str = include_str!("../tests/page/inspect.html");

/// The sections of a report.
const IDS: [&str; 9] = [
    "warnings",
    "findings",
    "decision",
    "ratios",
    "distributions",
    "course",
    "evidence",
    "excluded",
    "method",
];

/// Keeps a page, or a picture's place, under this name.
///
/// # Panics
///
/// If it cannot be written.
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
pub fn written(name: &str, text: &str) -> PathBuf {
    let folder = repository("out/pages");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;")
}

/// What the inspection found, of a page that it was given.
#[expect(clippy::panic, reason = "a test fails by panicking")]
fn inspected(browser: &Chromium, name: &str, page: &str) -> Value {
    let file = written(&format!("{name}-inspected.html"), &INSPECT.replace("PAGE", &escaped(page)));
    let visit = browser.document(&file);
    assert_eq!(visit.console, Vec::<String>::new(), "{name}");
    let found = visit.output.split("<pre id=\"found\">").nth(1).and_then(|rest| rest.split("</pre>").next());
    let found = found.unwrap_or_else(|| panic!("{name}: no inspection in\n{}", visit.output));
    let found = found.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    serde_json::from_str(&found).unwrap_or_else(|error| panic!("{name}: {error}: {found}"))
}

/// What the inspection found, of a page with which nothing is wrong.
///
/// # Panics
///
/// With what is wrong.
#[must_use]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
pub fn is_sound(browser: &Chromium, name: &str, page: &str) -> Value {
    let found = inspected(browser, name, page);
    for complaint in ["overflow", "contrast", "unnamed"] {
        let complaints = found[complaint].as_array().unwrap();
        assert!(complaints.is_empty(), "{name}: {complaint}: {complaints:#?}");
    }
    for id in IDS {
        assert!(found["sections"].as_array().unwrap().iter().any(|section| section == id), "{name}: no {id}");
    }
    assert_eq!(found["widths"], serde_json::json!([360, 800, 1400]), "{name}");
    found
}
