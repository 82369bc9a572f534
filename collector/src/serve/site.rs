//! What is at which path.

use std::sync::Arc;

use tierprobe_web::{Refusal, Request, Response, StatusCode, answer, gzip};

use super::board::Board;
use super::comparison::Comparisons;
use super::computing::Answer;
use super::config::Config;
use super::keeper::Keeper;
use super::problem::Problem;
use super::question::{Question, Window};
use super::{instances, metrics, page};
use crate::report::{self, Format};

/// What this answers with; `/api/v1/openapi.json` describes it for programs.
pub const OPENAPI: &str = include_str!("../../openapi.json");

/// Every path with an answer.
pub const PATHS: [&str; 7] = [
    "/",
    "/metrics",
    "/-/healthy",
    "/-/ready",
    "/api/v1/comparison",
    "/api/v1/instances",
    "/api/v1/openapi.json",
];

/// What answers are made from.
#[derive(Debug)]
pub struct Site {
    config: Arc<Config>,
    board: Arc<Board>,
    keeper: Arc<Keeper>,
    comparisons: Comparisons,
    started: f64,
}

impl Site {
    /// A site on these.
    #[must_use]
    pub fn new(config: Arc<Config>, board: Arc<Board>, keeper: Arc<Keeper>) -> Self {
        let comparisons = Comparisons::new(Arc::clone(&config), Arc::clone(&board), Arc::clone(&keeper));
        Self { config, board, keeper, comparisons, started: super::now() }
    }

    /// The comparisons.
    #[must_use]
    pub const fn comparisons(&self) -> &Comparisons {
        &self.comparisons
    }

    /// The store's keeper.
    #[must_use]
    pub fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    /// The targets.
    #[must_use]
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// What to do.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// When the collector started, in seconds since the epoch.
    #[must_use]
    pub const fn started(&self) -> f64 {
        self.started
    }

    async fn comparison(&self, request: &Request) -> Result<Response, Problem> {
        let (question, format) = Question::parse(&self.config, &parameters(request)?, Format::Json)?;
        let answer = self.comparisons.ask(question).await?;
        self.rendered(&answer, format)
    }

    fn rendered(&self, answer: &Answer, format: Format) -> Result<Response, Problem> {
        let comparison = &answer.comparison;
        let text = match format {
            Format::Html => page::with_banner(self, answer),
            Format::Table => report::table::render(comparison),
            Format::Markdown => report::markdown::render(comparison),
            Format::Csv => report::csv::render(comparison).map_err(|error| unwritten(&error))?,
            Format::Json => {
                let document = report::json::render(comparison).map_err(|error| unwritten(&error.into()))?;
                self.with_window(answer, &document)
            }
        };
        Ok(answer::of(StatusCode::OK, content_type(format), text))
    }

    /// The document with its window before all else, as it is the first thing to know of it.
    fn with_window(&self, answer: &Answer, document: &str) -> String {
        let window = serde_json::json!({
            "live": answer.is_live,
            "window": {
                "from": answer.span.from,
                "until": answer.span.until,
                "complete": answer.is_whole && !answer.is_live,
                "observed": answer.seen.span.map(|span| serde_json::json!({ "from": span.from, "until": span.until })),
                "longest_gap_seconds": answer.seen.longest_gap,
            },
            "collector_warnings": self.keeper.warnings(),
        });
        let window = format!("{window:#}");
        match (window.strip_suffix("\n}"), document.strip_prefix('{')) {
            (Some(window), Some(document)) => format!("{window},{document}"),
            _ => document.to_owned(),
        }
    }

    /// The page: of the last window that is over and, until there is one, of the first while it grows.
    async fn page(&self, request: &Request) -> Result<Response, Problem> {
        let parameters = parameters(request)?;
        if parameters.iter().any(|(name, _)| name == "format") {
            return Err(Problem::question(
                "the page has one form; /api/v1/comparison?format=… has the others".to_owned(),
            ));
        }
        let (question, _) = Question::parse(&self.config, &parameters, Format::Markdown)?;
        let is_usual = parameters.is_empty();
        let asked = self.comparisons.ask(question.clone()).await;
        let outcome = match (&asked, question.window) {
            (Err(problem), Window::Last(length)) if is_usual && problem.status == StatusCode::NOT_FOUND => {
                self.comparisons.ask(Question { window: Window::Live(length), ..question }).await
            }
            _ => asked,
        };
        // That there is nothing to compare yet is no mistake of whoever opens the page.
        let status = match &outcome {
            Err(problem) if !is_usual => problem.status,
            Ok(_) | Err(_) => StatusCode::OK,
        };
        Ok(answer::of(status, answer::HTML, page::render(self, outcome.as_deref())))
    }
}

impl tierprobe_web::Site for Site {
    async fn answer(&self, request: &Request) -> Option<Response> {
        let outcome = match request.path() {
            "/" => self.page(request).await,
            "/metrics" => Ok(answer::of(StatusCode::OK, metrics::TEXT_FORMAT, metrics::render(self))),
            "/api/v1/comparison" => self.comparison(request).await,
            "/api/v1/instances" => match parameters(request) {
                Ok(none) if none.is_empty() => instances::render(self).await,
                Ok(_) => Err(Problem::question("it takes no parameters".to_owned())),
                Err(problem) => Err(problem),
            },
            "/api/v1/openapi.json" => Ok(answer::of(StatusCode::OK, answer::JSON, OPENAPI)),
            _ => return None,
        };
        Some(outcome.unwrap_or_else(|problem| problem.answer()))
    }

    fn not_ready(&self) -> Option<String> {
        if self.keeper.reader().is_none() {
            return Some("the store is not open yet".to_owned());
        }
        (!self.board.has_been_tried()).then(|| "not every target has been scraped once yet".to_owned())
    }

    fn refuse(&self, request: &Request, refusal: Refusal) -> Response {
        if !request.path().starts_with("/api/") {
            return answer::plain(refusal.status(), format!("{refusal}\n"));
        }
        let message = match refusal {
            Refusal::Method => "only GET and HEAD: nothing here can be changed".to_owned(),
            Refusal::NotFound => format!("there is no such path; there are {}", PATHS.join(", ")),
        };
        Problem { status: refusal.status(), message, retry_seconds: None }.answer()
    }

    async fn finish(&self, request: &Request, response: Response) -> Response {
        gzip::compressed(request, response).await
    }
}

fn parameters(request: &Request) -> Result<Vec<(String, String)>, Problem> {
    request.parameters().map_err(|error| Problem::question(error.to_string()))
}

const fn content_type(format: Format) -> &'static str {
    match format {
        Format::Json => answer::JSON,
        Format::Html => answer::HTML,
        Format::Csv => "text/csv; charset=utf-8",
        Format::Markdown => "text/markdown; charset=utf-8",
        Format::Table => answer::PLAIN,
    }
}

fn unwritten(error: &anyhow::Error) -> Problem {
    Problem::ours(format!("the report cannot be written: {error:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_is_described_and_every_description_has_its_path() {
        let document: serde_json::Value = serde_json::from_str(OPENAPI).unwrap();
        let mut described: Vec<&str> =
            document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
        let mut paths = PATHS.to_vec();
        described.sort_unstable();
        paths.sort_unstable();
        assert_eq!(described, paths);
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    }

    #[test]
    fn the_description_knows_the_forms() {
        use clap::ValueEnum as _;
        let document: serde_json::Value = serde_json::from_str(OPENAPI).unwrap();
        let parameters = document["paths"]["/api/v1/comparison"]["get"]["parameters"].as_array().unwrap();
        let format = parameters.iter().find(|one| one["name"] == "format").unwrap();
        let described: Vec<&str> =
            format["schema"]["enum"].as_array().unwrap().iter().filter_map(|name| name.as_str()).collect();
        let known: Vec<String> = Format::value_variants()
            .iter()
            .map(|format| format.to_possible_value().unwrap().get_name().to_owned())
            .collect();
        assert_eq!(described, known);
    }
}
