//! The page: the comparison, when it is of, and what to know first.

use std::fmt::Write as _;

use tierprobe_web::page::escape;

use super::comparison::Answer;
use super::problem::Problem;
use super::site::Site;
use crate::date::utc_minute;
use crate::report::markdown;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;\
    color-scheme:light dark}pre{overflow-x:auto}.warning{border-left:.3rem solid #c60;padding-left:1rem}";

/// The page of an outcome.
#[must_use]
pub fn render(site: &Site, outcome: Result<&Answer, &Problem>) -> String {
    let mut body = String::new();
    for warning in site.keeper().warnings() {
        let _infallible = writeln!(body, "<p class=\"warning\" role=\"alert\">{}</p>", escape(&warning));
    }
    let states = site.board().states();
    let up = states.iter().filter(|state| state.is_up == Some(true)).count();
    let _infallible = writeln!(
        body,
        "<p>{up} of {} targets answer. <a href=\"/api/v1/instances\">Instances</a></p>",
        states.len()
    );
    match outcome {
        Ok(answer) => {
            let _infallible = writeln!(
                body,
                "<p id=\"window\">{} to {}{}</p>\n<pre id=\"comparison\">{}</pre>",
                utc_minute(answer.span.from),
                utc_minute(answer.span.until),
                if answer.is_live {
                    ", <strong>live</strong>: intervals while they grow, verdicts when the window is over"
                } else {
                    ". <a href=\"/?window=live\">What is there since</a>"
                },
                escape(&markdown::render(&answer.comparison)),
            );
        }
        Err(problem) => {
            let _infallible =
                writeln!(body, "<p id=\"problem\" role=\"status\">{}</p>", escape(&problem.message));
        }
    }
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><link rel=\"icon\" href=\"data:,\">\
         <title>tierprobe</title><style>{STYLE}</style></head>\n<body><h1>tierprobe</h1>\n{body}\
         <p>For programs: <a href=\"/api/v1/comparison\">comparison</a>, <a href=\"/metrics\">metrics</a>, \
         <a href=\"/api/v1/openapi.json\">their description</a></p></body></html>\n"
    )
}
