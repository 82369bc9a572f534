//! What the agent answers: metrics and a landing page.
//!
//! A scrape reads the latest snapshot and never runs a probe.

use std::sync::Arc;

use tierprobe_web::{Request, Response, Site, StatusCode, answer, page};

use crate::export;
use crate::process::ProcessStats;
use crate::snapshot::{Board, ProbeState};

/// What answers are made from.
#[derive(Debug)]
pub(crate) struct Answers {
    pub(crate) board: Arc<Board>,
    pub(crate) telemetry_path: String,
}

impl Site for Answers {
    async fn answer(&self, request: &Request) -> Option<Response> {
        let answer = match request.path() {
            path if path == self.telemetry_path => Some(self.metrics()),
            "/" => Some(self.landing_page()),
            _ => None,
        };
        self.board.has_answered();
        answer
    }

    fn not_ready(&self) -> Option<String> {
        let is_ready = self.board.latest().probes.iter().all(ProbeState::has_had_its_turn);
        (!is_ready).then(|| "the first round is not over yet".to_owned())
    }
}

impl Answers {
    fn metrics(&self) -> Response {
        match export::text(&self.board.latest(), &ProcessStats::read()) {
            Ok(text) => answer::of(StatusCode::OK, export::TEXT_FORMAT, text),
            Err(error) => {
                tracing::error!(%error, "could not encode the metrics");
                answer::plain(StatusCode::INTERNAL_SERVER_ERROR, "could not encode the metrics\n")
            }
        }
    }

    fn landing_page(&self) -> Response {
        let snapshot = self.board.latest();
        let verdict = crate::detect::text::render(&snapshot.place.detection);
        let page = page::landing(
            "tierprobe-agent",
            env!("CARGO_PKG_VERSION"),
            &format!("<pre>{}</pre>", page::escape(&verdict)),
            &[(&self.telemetry_path, "Metrics"), ("/-/healthy", "Healthy"), ("/-/ready", "Ready")],
        );
        answer::of(StatusCode::OK, answer::HTML, page)
    }
}
