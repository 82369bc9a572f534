//! The dashboard and the rules: complete, in step with what the agent publishes, and answered by a real Prometheus.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by panicking; clippy exempts test functions, but not what they call"
)]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tierprobe_agent::export::families;
use tierprobe_agent::probe::PROBES;
use tierprobe_collector::rules;
use tierprobe_model::{Family, Kind};
use tierprobe_tests::agent::Agent;
use tierprobe_tests::need::need;
use tierprobe_tests::prometheus::{Prometheus, promtool};
use tierprobe_tests::repository;

/// Rounds as often as scrapes.
const OFTEN: &[&str] = &["--probe.interval=1s", "--probe.budget=0.5", "--probe.pressure=1"];

/// A host on another tier than any machine that runs tests: a dashboard about tiers needs two.
const SECOND_HOST: &str = "tests/fixtures/hosts/crio_pod_on_bare_metal/root";

fn text(path: &str) -> String {
    std::fs::read_to_string(repository(path)).unwrap()
}

fn dashboard() -> Value {
    serde_json::from_str(&text("dashboards/compare.json")).unwrap()
}

/// All panels that show something.
fn panels(dashboard: &Value) -> Vec<&Value> {
    let panels = dashboard["panels"].as_array().unwrap();
    panels.iter().filter(|panel| panel["type"] != "row").collect()
}

/// Every expression, with the title of its panel or the name of its annotation.
fn expressions(dashboard: &Value) -> Vec<(String, String)> {
    let of_panel = |panel: &Value| {
        let title = panel["title"].as_str().unwrap().to_owned();
        let targets = panel["targets"].as_array().unwrap().clone();
        targets.into_iter().map(move |target| (title.clone(), target["expr"].as_str().unwrap().to_owned()))
    };
    let annotations = dashboard["annotations"]["list"].as_array().unwrap();
    let of_annotation =
        |note: &Value| Some((note["name"].as_str()?.to_owned(), note["expr"].as_str()?.to_owned()));
    panels(dashboard)
        .into_iter()
        .flat_map(of_panel)
        .chain(annotations.iter().filter_map(of_annotation))
        .collect()
}

/// As Grafana would send it.
fn substituted(expression: &str, baseline: &str) -> String {
    [
        ("$__rate_interval", "10s"),
        ("$baseline", baseline),
        ("$instance", ".+"),
        ("$tier", ".+"),
        ("$job", ".+"),
        ("$on", &rules::ON.join(", ")),
    ]
    .iter()
    .fold(expression.to_owned(), |text, (name, value)| text.replace(name, value))
}

fn duration_families() -> impl Iterator<Item = &'static Family> {
    PROBES.iter().flat_map(|spec| spec.families).copied().filter(|family| family.kind == Kind::Duration)
}

/// Every name that a scrape may show.
fn published() -> BTreeSet<String> {
    let families = PROBES.iter().flat_map(|spec| spec.families).chain(families::ALL);
    families
        .flat_map(|family| match family.kind {
            Kind::Duration => {
                let round = family.round_name();
                let name = family.name;
                vec![format!("{name}_bucket"), format!("{name}_sum"), format!("{name}_count"), round]
            }
            Kind::Gauge | Kind::Counter | Kind::Info => vec![family.name.to_owned()],
        })
        .collect()
}

/// The names of metrics in a text: ours and the standard ones of a process.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
    let ours = |word: &&str| word.starts_with("tierprobe_") || word.starts_with("process_");
    // What ends with an underscore is the start of a pattern.
    words.filter(ours).filter(|word| !word.ends_with('_')).map(str::to_owned).collect()
}

/// The recording rules that are shipped: record and expression.
fn shipped_rules() -> BTreeMap<String, String> {
    let text = text("dashboards/rules.yml");
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let rule = |pair: &[&str]| {
        let record = pair[0].strip_prefix("- record: ")?;
        Some((record.to_owned(), pair[1].strip_prefix("expr: ")?.to_owned()))
    };
    lines.windows(2).filter_map(rule).collect()
}

/// Fails with every complaint, not only the first.
fn none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn every_panel_says_what_it_shows_and_what_not() {
    let dashboard = dashboard();
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "an id twice: {}", panel["title"]);
    }
    let mut complaints = Vec::new();
    for panel in panels(&dashboard) {
        let title = panel["title"].as_str().unwrap_or_default();
        let mut demand = |fulfilled: bool, what: &str| {
            if !fulfilled {
                complaints.push(format!("panel {title:?}: {what}"));
            }
        };
        demand(!title.is_empty(), "no title");
        demand(
            panel["description"].as_str().is_some_and(|text| text.len() > 20 && text.ends_with('.')),
            "no description",
        );
        demand(panel["fieldConfig"]["defaults"]["unit"].is_string(), "no unit");
        demand(panel["datasource"]["uid"] == "${datasource}", "a data source of its own");
        demand(panel["targets"].as_array().is_some_and(|targets| !targets.is_empty()), "no target");
    }
    none(complaints);
}

#[test]
fn panels_do_not_overlap() {
    let dashboard = dashboard();
    let mut taken = BTreeMap::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let edge = |name: &str| panel["gridPos"][name].as_u64().unwrap();
        assert!(edge("x") + edge("w") <= 24, "{} is too wide", panel["title"]);
        for x in edge("x")..edge("x") + edge("w") {
            for y in edge("y")..edge("y") + edge("h") {
                let before = taken.insert((x, y), panel["title"].clone());
                assert_eq!(before, None, "{} lies on another panel", panel["title"]);
            }
        }
    }
}

#[test]
fn the_dashboard_fits_any_fleet() {
    let dashboard = dashboard();
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let names: Vec<&str> = variables.iter().map(|variable| variable["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["datasource", "job", "instance", "tier", "baseline", "on"]);
    for variable in variables.iter().filter(|variable| variable["multi"] == true) {
        assert_eq!(variable["includeAll"], true, "{variable}");
        assert_eq!(variable["refresh"], 2, "values must follow the time range: {variable}");
    }
    let mut complaints = Vec::new();
    for (title, expression) in expressions(&dashboard) {
        let mut demand = |fulfilled: bool, what: &str| {
            if !fulfilled {
                complaints.push(format!("panel {title:?}: {what}: {expression}"));
            }
        };
        demand(expression.contains("job=~\"$job\""), "the job is not the reader's");
        demand(expression.contains("instance=~\"$instance\""), "the instance is not the reader's");
        demand(!expression.contains("job=\""), "a job is wired in");
        // Over several clusters, job and instance do not tell one instance from another.
        demand(!expression.contains("job, instance"), "what tells instances apart is not the reader's");
        demand(!expression.contains("tier:") && !expression.contains("instance:"), "needs a recording rule");
        for function in ["rate(", "increase(", "_over_time("] {
            let fixed = expression.split(function).skip(1).any(|after| {
                let range = after
                    .split_once(']')
                    .and_then(|(before, _)| before.rsplit_once('['))
                    .map(|(_, range)| range);
                range.is_some_and(|range| range != "$__rate_interval" && !range.contains(':'))
            });
            demand(!fixed, "a range that does not follow the scrape interval");
        }
        // The tier is a label of tierprobe_tier_info alone.
        let expects_label = expression.contains("tier=") && !expression.contains("tierprobe_tier_info{");
        demand(!expects_label, "expects the tier on a series");
    }
    none(complaints);
}

#[test]
fn only_published_metrics_are_used() {
    let published = published();
    let mut complaints = Vec::new();
    let uses = expressions(&dashboard()).into_iter().chain(shipped_rules());
    for (user, expression) in uses {
        for name in names(&expression).difference(&published) {
            complaints.push(format!("{user}: the agent publishes no {name}"));
        }
    }
    none(complaints);
}

#[test]
fn every_duration_family_has_rules_that_keep_its_labels() {
    let rules = shipped_rules();
    let mut complaints = Vec::new();
    for family in duration_families() {
        for (statistic, quantile) in [("p50", "0.5"), ("p99", "0.99")] {
            let instance = format!("instance:{}:{statistic}", family.name);
            let selector = format!("{}{{quantile=\"{quantile}\"}} *", family.round_name());
            if !rules.get(&instance).is_some_and(|expression| expression.starts_with(&selector)) {
                complaints.push(format!("dashboards/rules.yml: {instance} must start with {selector}"));
            }
            let tier = format!("tier:{}:{statistic}", family.name);
            let labels: Vec<&str> = std::iter::once("tier").chain(family.labels.iter().copied()).collect();
            let expected = format!("quantile by ({}) (0.5, {instance})", labels.join(", "));
            if rules.get(&tier) != Some(&expected) {
                complaints.push(format!("dashboards/rules.yml: {tier} must be {expected}"));
            }
        }
    }
    none(complaints);
}

#[test]
fn the_table_of_all_costs_tells_all_series_apart() {
    let dashboard = dashboard();
    let all = expressions(&dashboard);
    let (_, table) = all.iter().find(|(_, expression)| expression.contains("label_join")).unwrap();
    let joins: Vec<&str> = table.split("label_join(").skip(1).collect();
    assert_eq!(joins.len(), 2, "one for the tiers, one for the baseline: {table}");
    for label in duration_families().flat_map(|family| family.labels) {
        for join in &joins {
            assert!(join.contains(&format!("\"{label}\"")), "{label} is missing from: {join}");
        }
    }
}

#[test]
fn promtool_accepts_every_expression() {
    let Some(program) = need("promtool") else { return };
    let rules: Vec<Value> = expressions(&dashboard())
        .iter()
        .enumerate()
        .map(|(index, (_, expression))| {
            json!({"record": format!("panel:{index}"), "expr": substituted(expression, "vm")})
        })
        .collect();
    // JSON is YAML.
    let file = tempfile::NamedTempFile::new().unwrap();
    let groups = json!({"groups": [{"name": "dashboard", "rules": rules}]});
    std::fs::write(file.path(), groups.to_string()).unwrap();
    promtool(&program, &["check", "rules", file.path().to_str().unwrap()], "").unwrap();
    promtool(&program, &["check", "rules", "dashboards/rules.yml"], "").unwrap();
}

#[test]
fn the_rules_pass_their_unit_tests() {
    let Some(program) = need("promtool") else { return };
    promtool(&program, &["test", "rules", "dashboards/rules_test.yml"], "").unwrap();
}

#[test]
fn every_panel_shows_something_for_live_agents() {
    let Some(program) = need("prometheus") else { return };
    let other = format!("--path.rootfs={}", repository(SECOND_HOST).display());
    let agents = [Agent::start(OFTEN), Agent::start(&[OFTEN, &[other.as_str()]].concat())];
    let here = agents[0].metrics();
    let mut prometheus = Prometheus::start(&program, &agents);
    let instance = agents[0].address();
    let info = prometheus.wait_for_samples(&format!("tierprobe_tier_info{{instance={instance:?}}}"));
    let tiers = prometheus.wait_for_samples("count(count by (tier) (tierprobe_tier_info)) == 2");
    assert_eq!(tiers.len(), 1);
    for (title, expression) in expressions(&dashboard()) {
        if title == "Tier changes" {
            // There is none, but the question must be a good one.
            prometheus.query(&substituted(&expression, "vm")).unwrap();
            continue;
        }
        // Not every machine has everything: absent is not zero.
        if let Some(absent) = names(&expression).iter().find(|name| !here.contains(name.as_str()))
            && absent != "tierprobe_probe_disturbed_rounds_total"
            && absent != "tierprobe_probe_skipped_rounds_total"
        {
            println!("{title}: no {absent} on this machine");
            continue;
        }
        prometheus.wait_for_samples(&substituted(&expression, info[0].label("tier")));
    }
}
