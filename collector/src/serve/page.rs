//! The page: the comparison, when it is of, and what to know first.

use std::fmt::Write as _;

use tierprobe_web::page::escape;

use super::computing::Answer;
use super::problem::Problem;
use super::site::Site;
use crate::date::{utc_minute, utc_second};

/// Of the page that has no comparison.
const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}";

/// The page of an outcome.
#[must_use]
pub fn render(site: &Site, outcome: Result<&Answer, &Problem>) -> String {
    match outcome {
        Ok(answer) => with_banner(site, answer),
        Err(problem) => format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\"><meta http-equiv=\"refresh\" content=\"15\">\
             <link rel=\"icon\" href=\"data:,\"><title>tierprobe</title><style>{STYLE}</style></head>\n\
             <body><h1>tierprobe</h1>\n{}<p id=\"problem\" role=\"status\">{}</p></body></html>\n",
            banner(site, None),
            escape(&problem.message)
        ),
    }
}

/// The page of a comparison, with what is true at this moment before it.
#[must_use]
pub fn with_banner(site: &Site, answer: &Answer) -> String {
    answer.page.replacen("<body>", &format!("<body>{}", banner(site, Some(answer))), 1)
}

fn banner(site: &Site, answer: Option<&Answer>) -> String {
    let mut text = "<aside id=\"collector\" aria-label=\"The collector\">".to_owned();
    for warning in site.keeper().warnings() {
        let _infallible = write!(text, "<p role=\"alert\"><strong>{}</strong></p>", escape(&warning));
    }
    let states = site.board().states();
    let up = states.iter().filter(|state| state.is_up == Some(true)).count();
    let _infallible =
        write!(text, "<p>{up} of {} <a href=\"/api/v1/instances\">targets</a> answer. ", states.len());
    if let Some(answer) = answer {
        let _infallible = write!(
            text,
            "<span id=\"window\">{} to {}</span>{}. {} ",
            point(answer.span.from),
            point(answer.span.until),
            observed(answer),
            if answer.is_live {
                "<strong>Live</strong>: <a href=\"/\">the last window that is over</a>."
            } else {
                "<a href=\"/?window=live\">What is there since</a>."
            }
        );
    }
    text + "<a href=\"/api/v1/comparison\">JSON</a>, <a href=\"/api/v1/comparison?format=csv\">CSV</a>, \
            <a href=\"/metrics\">metrics</a>, <a href=\"/api/v1/openapi.json\">their description</a></p></aside>"
}

/// When a window was observed that was not as a whole.
fn observed(answer: &Answer) -> String {
    match answer.seen.span {
        Some(span) if !answer.is_whole && !answer.is_live => format!(
            ", <strong id=\"observed\">incomplete</strong>: observed from {} to {}, no verdicts",
            utc_second(span.from),
            utc_second(span.until)
        ),
        Some(_) | None => String::new(),
    }
}

/// A window's end, to the minute where it is one.
fn point(seconds: f64) -> String {
    if seconds.rem_euclid(60.0) < 0.001 { utc_minute(seconds) } else { utc_second(seconds) }
}
