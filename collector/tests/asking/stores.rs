//! Stores that answer with errors, pages, halves, nothing, slowly or without end: bounded in time, named, and the
//! other sources unharmed. What stores really answer is in `tests/tests/stores.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::place::{Request, agent, ok, place, read, status};
use tierprobe_collector::dataset::Dataset;
use tierprobe_collector::http::client;
use tierprobe_collector::source::{Gathered, Options, store};

pub(crate) const JSON: &str = "application/json";
/// All samples of the store are from about then.
const NOW: f64 = 1_700_000_000.0;

/// What a sound store says to a request: one instance with two rounds of one series.
pub(crate) fn sound(request: &Request) -> String {
    let labels = |name: &str, more: &str| {
        format!("{{\"__name__\":\"{name}\",\"instance\":\"a:1\",\"job\":\"j\"{more}}}")
    };
    let round = labels("tierprobe_probe_last_round_timestamp_seconds", ",\"probe\":\"syscall\"");
    let matrix = |metric: &str, values: &str| {
        format!("{{\"resultType\":\"matrix\",\"result\":[{{\"metric\":{metric},\"values\":[{values}]}}]}}")
    };
    let (query, selectors) = (request.form("query"), request.form("match[]"));
    let data = if request.line.contains("/label/__name__/values") {
        "[\"tierprobe_syscall_round_seconds\"]".to_owned()
    } else if request.line.contains("/series") && selectors.starts_with("tierprobe_probe_last_round") {
        format!("[{round}]")
    } else if request.line.contains("/series") {
        format!("[{}]", labels("tierprobe_tier_info", ",\"tier\":\"vm\""))
    } else if query.starts_with("tierprobe_probe_last_round_timestamp") {
        matrix(&round, "[1699999900,\"1699999890\"],[1699999915,\"1699999890\"],[1699999930,\"1699999920\"]")
    } else if query.starts_with("tierprobe_syscall_round_seconds") {
        let metric = labels("tierprobe_syscall_round_seconds", ",\"quantile\":\"0.5\",\"syscall\":\"read\"");
        matrix(&metric, "[1699999900,\"1e-7\"],[1699999915,\"1e-7\"],[1699999930,\"2e-7\"]")
    } else if request.line.contains("/metadata") {
        "{\"x\":[{\"type\":\"summary\",\"help\":\"Time of one system call.\",\"unit\":\"\"}]}".to_owned()
    } else {
        "{\"resultType\":\"vector\",\"result\":[]}".to_owned()
    };
    format!("{{\"status\":\"success\",\"data\":{data}}}")
}

pub(crate) fn options(timeout: Duration) -> Options {
    let store = store::Options {
        range: Duration::from_secs(3600),
        end: Some(NOW),
        timeout,
        matchers: vec![("cluster".into(), "eu\"1".into())],
        headers: vec![client::header("X-Scope-OrgID", "team").unwrap()],
        ..store::Options::default()
    };
    Options { store, ..Options::default() }
}

/// Reads a store and a sound agent beside it.
fn gathered(answer: impl Fn(&Request) -> String + Send + Sync + 'static) -> Gathered {
    let agent = place(None, |_| agent());
    let store = place(None, answer);
    let sources = [format!("prometheus+http://{store}/prefix"), format!("http://{agent}/metrics")];
    let begin = Instant::now();
    let gathered = read(&sources, Duration::ZERO, options(Duration::from_secs(1)));
    assert!(begin.elapsed() < Duration::from_secs(30), "took {:?}", begin.elapsed());
    assert!(
        gathered.collected.iter().any(|one| one.source == sources[1]),
        "the agent is harmed: {gathered:?}"
    );
    gathered
}

fn reason(answer: impl Fn(&Request) -> String + Send + Sync + 'static) -> String {
    let gathered = gathered(answer);
    assert_eq!(gathered.dropped.len(), 1, "{gathered:?}");
    gathered.dropped[0].reason.clone()
}

#[track_caller]
fn assert_says(reason: &str, expected: &str) {
    assert!(reason.contains(expected), "{reason:?} does not say {expected:?}");
}

#[test]
fn a_sound_store_is_read_with_prefix_tenant_and_matchers() {
    let gathered = gathered(|request| {
        assert!(request.line.contains("/prefix/api/v1/"), "{request:?}");
        assert_eq!(request.header("x-scope-orgid"), "team");
        let selectors = request.form("query") + &request.form("match[]");
        assert!(selectors.contains(r#"cluster="eu\"1""#) || request.line.contains("metadata"), "{request:?}");
        ok(JSON, &sound(request))
    });
    assert_eq!(gathered.dropped, []);
    assert_eq!(gathered.notes, []);
    let stored = gathered.collected[0].clone().unpack();
    assert_eq!((stored.instance.name.as_str(), stored.instance.labels["tier"].as_str()), ("a:1", "vm"));
    assert_eq!(stored.instance.labels["job"], "j");
    let told: Vec<_> = stored.observations.iter().map(|one| (one.timestamp, one.value)).collect();
    assert_eq!(told, [(1_699_999_890.0, 1e-7), (1_699_999_920.0, 2e-7)]);
    assert_eq!(stored.observations[0].family, "tierprobe_syscall_seconds");
    assert_eq!(stored.help["tierprobe_syscall_seconds"], "Time of one system call.");
    assert_eq!(stored.stale_seconds, None);
}

/// The round of a boot counts for that boot; two boots are one machine, and evidence once.
#[test]
fn a_machine_that_started_anew_is_one_host_and_counts_as_what_it_is_now() {
    let boot = |id: &str| {
        let name = "tierprobe_kernel_info";
        format!("{{\"__name__\":\"{name}\",\"instance\":\"a:1\",\"job\":\"j\",\"boot_id\":\"{id}\"}}")
    };
    let (one, two) = (boot("one"), boot("two"));
    let gathered = gathered(move |request| {
        let success = |data: String| format!("{{\"status\":\"success\",\"data\":{data}}}");
        let body = if request.line.contains("/series") && !request.form("match[]").contains("last_round") {
            let tier = sound(request);
            let tier = tier.split_once("[{").and_then(|(_, rest)| rest.rsplit_once("]}")).unwrap().0;
            success(format!("[{{{tier},{one},{two}]"))
        } else if request.form("query").starts_with("tierprobe_kernel_info") {
            let before = "[[1699999900,\"1\"],[1699999915,\"1\"]]";
            let series = |metric: &str, values: &str| format!("{{\"metric\":{metric},\"values\":{values}}}");
            let (before, after) = (series(&one, before), series(&two, "[[1699999930,\"1\"]]"));
            success(format!("{{\"resultType\":\"matrix\",\"result\":[{before},{after}]}}"))
        } else {
            sound(request)
        };
        ok(JSON, &body)
    });
    assert_eq!(gathered.dropped, []);
    let [stored, _agent] = gathered.collected.as_slice() else { panic!("{gathered:?}") };
    assert_eq!(stored.instance.labels["boot_id"], "two");
    assert_eq!(stored.instance.labels["tier"], "vm");
    let told = stored.clone().unpack().observations;
    assert!(told.iter().map(|one| one.timestamp).eq([1_699_999_920.0]), "{told:?}");
    let dataset = Dataset::new(vec![stored.clone().unpack()]);
    assert_eq!(dataset.members().len(), 1);
    let [dropped] = dataset.dropped() else { panic!("{:?}", dataset.dropped()) };
    assert!(dropped.source.starts_with("a:1 of prometheus+http://"), "{dropped:?}");
    assert_says(&dropped.reason, "1 round from before it changed (boot_id)");
}

#[test]
fn what_a_rule_has_recorded_stands_in_for_the_rounds() {
    // Evaluated three seconds after the scrapes, with the tier joined.
    let recorded = "\"instance:tierprobe_syscall_seconds:p50\"";
    let gathered = gathered(move |request| {
        let query = request.form("query");
        let body = if request.line.contains("/label/__name__/values") {
            format!("{{\"status\":\"success\",\"data\":[{recorded}]}}")
        } else if query.starts_with("instance:tierprobe_syscall_seconds:p50") {
            let values = "[1699999903,\"1e-7\"],[1699999918,\"1e-7\"],[1699999933,\"2e-7\"]";
            let labels = "\"instance\":\"a:1\",\"job\":\"j\",\"syscall\":\"read\",\"tier\":\"vm\"";
            let series = format!("{{\"metric\":{{\"__name__\":{recorded},{labels}}},\"values\":[{values}]}}");
            format!("{{\"status\":\"success\",\"data\":{{\"resultType\":\"matrix\",\"result\":[{series}]}}}}")
        } else {
            sound(request)
        };
        ok(JSON, &body)
    });
    assert_eq!(gathered.dropped, []);
    let stored = gathered.collected[0].clone().unpack();
    let told: Vec<_> = stored.observations.iter().map(|one| (one.timestamp, one.value)).collect();
    assert_eq!(told, [(1_699_999_890.0, 1e-7), (1_699_999_920.0, 2e-7)]);
    assert_eq!(stored.observations[0].family, "tierprobe_syscall_seconds");
    assert!(stored.observations[0].labels.keys().eq(["syscall"]), "{stored:?}");
}

#[test]
fn what_a_store_warns_of_is_kept_and_what_is_partial_refused() {
    let said = |what: &'static str| {
        move |request: &Request| ok(JSON, &sound(request).replacen('{', &format!("{{{what},"), 1))
    };
    let warned = gathered(said(r#""warnings":["slow block"],"infos":["just so"]"#));
    let notes: Vec<_> = warned.notes.iter().map(|note| (note.text.as_str(), note.is_warning)).collect();
    assert_eq!(notes, [("slow block", true), ("just so", false)]);
    assert_says(
        &reason(said(r#""warnings":["partial response: store-1 is away"]"#)),
        "a part of the data only",
    );
    assert_says(&reason(said(r#""isPartial":true"#)), "a part of the data only");
}

#[test]
fn a_success_that_is_an_error_is_named() {
    let body = r#"{"status":"error","errorType":"bad_data","error":"no such tenant"}"#;
    assert_says(&reason(move |_| ok(JSON, body)), "no such tenant");
}

#[test]
fn pages_halves_and_empty_answers_are_named() {
    assert_says(&reason(|_| ok("text/html", "<html>Log in</html>")), "a page for people");
    assert_says(&reason(|_| ok(JSON, "{\"status\":\"success\",\"data\":[{\"a\"")), "cut off");
    assert_says(&reason(|_| ok(JSON, "")), "prefix");
    assert_says(
        &reason(|_| ok(JSON, r#"{"status":"success","data":[]}"#)),
        "no rounds of agents between 2023-11-14",
    );
    // The half of what it promised.
    let half =
        |_: &Request| "HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\n{".to_owned();
    assert_says(&reason(half), "timeout");
}

/// Answers with samples are read while the next one is fetched: the first one's fault shows then, the last one's at the end.
#[test]
fn a_half_answer_ends_the_reading_whichever_it_is() {
    for broken in [
        "tierprobe_probe_last_round_timestamp_seconds",
        "tierprobe_probe_last_round_disturbed",
        "tierprobe_syscall_round_seconds",
    ] {
        let reason = reason(move |request| {
            let body = sound(request);
            let is_it = request.form("query").starts_with(broken);
            ok(JSON, if is_it { &body[..body.len() - 3] } else { &body })
        });
        assert_says(&reason, "cut off");
    }
}

/// An answer is read as it comes, and counts as a whole or not at all.
#[test]
fn of_an_answer_that_breaks_off_nothing_counts() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let gathered = gathered(move |request| {
        let body = sound(request);
        if !request.form("query").starts_with("tierprobe_syscall")
            || count.fetch_add(1, Ordering::Relaxed) > 0
        {
            return ok(JSON, &body);
        }
        // Another number in it, and more promised than there is.
        let half = body.replacen("1e-7", "9e-7", 2);
        let half = half.split_once("[1699999930").unwrap().0.to_owned();
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{half}", body.len())
    });
    assert_eq!(gathered.dropped, []);
    assert!(asked.load(Ordering::Relaxed) > 1);
    let told = gathered.collected[0].clone().unpack().observations;
    assert!(told.iter().map(|one| one.value).eq([1e-7, 2e-7]), "{told:?}");
}

#[test]
fn two_queries_at_a_time_are_enough() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (asking, peak) = (Arc::clone(&now), Arc::clone(&most));
    let names: Vec<String> = (0..6).map(|at| format!("\"tierprobe_syscall_n{at}_round_seconds\"")).collect();
    let gathered = gathered(move |request| {
        peak.fetch_max(asking.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(40));
        let body = if request.line.contains("/label/__name__/values") {
            format!("{{\"status\":\"success\",\"data\":[{}]}}", names.join(","))
        } else if request.form("query").starts_with("tierprobe_syscall_n") {
            let own = request.form("query");
            let own = own.split('{').next().unwrap();
            let query = Request {
                line: "POST /prefix/api/v1/query HTTP/1.1".to_owned(),
                body: "query=tierprobe_syscall_round_seconds".to_owned(),
                ..Request::default()
            };
            sound(&query).replace("tierprobe_syscall_round_seconds", own)
        } else {
            sound(request)
        };
        asking.fetch_sub(1, Ordering::Relaxed);
        ok(JSON, &body)
    });
    assert_eq!(gathered.dropped, []);
    assert_eq!(gathered.collected[0].observations(), 12);
    assert_eq!(most.load(Ordering::Relaxed), 2);
}

#[test]
fn statuses_are_named_with_what_to_do() {
    assert_says(&reason(|_| status("401 Unauthorized")), "--source.config");
    assert_says(&reason(|_| status("404 Not Found")), "prefix");
    assert_says(
        &reason(|_| status("302 Found\r\nLocation: http://127.0.0.1:1/")),
        "redirects are not followed",
    );
    assert_says(&reason(|_| status("500 Internal Server Error")), "500");
}

#[test]
fn a_store_that_is_busy_is_asked_again_and_not_for_ever() {
    let count = Arc::new(AtomicUsize::new(0));
    let asked = Arc::clone(&count);
    let recovers = gathered(move |request| match asked.fetch_add(1, Ordering::Relaxed) {
        0 => status("429 Too Many Requests\r\nRetry-After: 0"),
        2 => status("503 Service Unavailable\r\nRetry-After: 0"),
        _ => ok(JSON, &sound(request)),
    });
    assert_eq!(recovers.dropped, []);
    let count = Arc::new(AtomicUsize::new(0));
    let asked = Arc::clone(&count);
    let busy = reason(move |_| {
        asked.fetch_add(1, Ordering::Relaxed);
        status("503 Service Unavailable\r\nRetry-After: 0")
    });
    assert_says(&busy, "503");
    assert_eq!(count.load(Ordering::Relaxed), 7);
}

#[test]
fn a_store_that_is_slow_runs_into_the_timeout() {
    assert_says(
        &reason(|_| {
            std::thread::sleep(Duration::from_secs(3));
            String::new()
        }),
        "timeout",
    );
}

#[test]
fn what_is_too_much_at_once_is_asked_for_in_parts() {
    let queries = Arc::new(AtomicUsize::new(0));
    let asked = Arc::clone(&queries);
    let gathered = gathered(move |request| {
        let query = request.form("query");
        let long =
            query.split_once('[').and_then(|(_, range)| range.split_once("ms]")).map(|(ms, _)| ms.parse());
        if query.starts_with("tierprobe_syscall")
            && long.is_some_and(|ms: Result<u64, _>| ms.unwrap() > 900_001)
        {
            asked.fetch_add(1, Ordering::Relaxed);
            let why = "query processing would load too many samples into memory in query execution";
            let body = format!("{{\"status\":\"error\",\"errorType\":\"execution\",\"error\":\"{why}\"}}");
            return format!(
                "HTTP/1.1 422 Unprocessable Entity\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
        }
        ok(JSON, &sound(request))
    });
    assert_eq!(gathered.dropped, []);
    assert!(queries.load(Ordering::Relaxed) > 0);
    // The stand-in gives all samples in each part: each round counts once all the same.
    assert_eq!(gathered.collected[0].observations(), 2);
}

#[test]
fn what_takes_the_store_too_long_is_asked_for_in_parts_at_once() {
    let queries = Arc::new(AtomicUsize::new(0));
    let asked = Arc::clone(&queries);
    let gathered = gathered(move |request| {
        let query = request.form("query");
        let range = query.split_once('[').and_then(|(_, range)| range.split_once("ms]"));
        let is_long = range.is_some_and(|(milliseconds, _)| milliseconds.parse::<u64>().unwrap() > 900_001);
        if query.starts_with("tierprobe_syscall") && is_long {
            asked.fetch_add(1, Ordering::Relaxed);
            let why = "query timed out in expression evaluation";
            let body = format!("{{\"status\":\"error\",\"errorType\":\"timeout\",\"error\":\"{why}\"}}");
            return format!(
                "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
        }
        ok(JSON, &sound(request))
    });
    assert_eq!(gathered.dropped, []);
    assert_eq!(gathered.collected[0].observations(), 2);
    // An hour and then a quarter of it, which is short enough.
    assert_eq!(queries.load(Ordering::Relaxed), 1);
}

#[test]
fn what_is_no_number_is_counted_and_the_end_of_a_series_is_not() {
    let gathered = gathered(|request| {
        let query = request.form("query");
        let (last, value) = (r#"[1699999930,"1699999920"]"#, r#"[1699999930,"2e-7"]"#);
        // A round of which a number is none, and the mark that a store puts where a target went away.
        let body = if query.starts_with("tierprobe_probe_last_round_timestamp") {
            let more = r#"[1699999945,"1699999935"],[1699999960,"NaN"]"#;
            sound(request).replace(last, &format!("{last},{more}"))
        } else {
            sound(request).replace(value, &format!("{value},[1699999945,\"NaN\"],[1699999960,\"NaN\"]"))
        };
        ok(JSON, &body)
    });
    assert_eq!(gathered.dropped, []);
    assert_eq!(gathered.collected[0].observations(), 2);
    assert_eq!(gathered.collected[0].discarded.not_finite, 1);
}

#[test]
fn an_answer_without_end_is_cut_at_the_limit() {
    // On a slow machine the timeout comes first.
    let reason = reason(|_| {
        let begin = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
        format!("{begin}{}", " ".repeat(70 * 1024 * 1024))
    });
    assert!(reason.contains("64 MiB") || reason.contains("timeout"), "{reason}");
}
