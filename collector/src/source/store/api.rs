//! Asks a store, one query after the other.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::RETRY_AFTER;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::answer::{self, Heard, Matrix, Series};
use super::pages::Pages;
use super::{Options, StoreError};
use crate::http::{Access, Address, Answer, Client, HttpError, Limits, Net, form};
use crate::observation::Labels;

/// Longest answer, in bytes.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// How often all queries of one store together may be tried again.
const RETRIES: usize = 6;
/// The pause before a query is tried again doubles from here.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Longest pause, whatever the store asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// All together may take so many times what one query may.
const QUERIES_TIMES: u32 = 20;

/// A span of time, in seconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// Its begin.
    pub from: f64,
    /// Its end.
    pub to: f64,
}

/// A store, while it is read.
#[derive(Debug)]
pub struct Api {
    client: Client,
    prefix: Address,
    options: Options,
    deadline: Instant,
    retries: usize,
    pause: Duration,
    /// How large the last answer was for the length of its span: metrics of one fleet are much of one size.
    pub(super) bytes_per_second: f64,
    /// Longest span that is asked for at once: what was too much would be so again.
    pub(super) longest_seconds: f64,
    /// What it said beside what it was asked for.
    pub(super) heard: Heard,
}

impl Api {
    /// The store at `prefix`, to which the paths of the API are added.
    #[must_use]
    pub fn new(prefix: Address, access: &Access, net: Arc<Net>, options: Options) -> Self {
        let access = Arc::new(access.with_headers(&options.headers));
        Self {
            client: Client::new(prefix.clone(), access, net),
            prefix,
            deadline: Instant::now() + options.timeout * QUERIES_TIMES,
            options,
            retries: RETRIES,
            pause: FIRST_PAUSE,
            bytes_per_second: 1.0,
            longest_seconds: f64::INFINITY,
            heard: Heard::default(),
        }
    }

    /// A selector of the metrics that `name` and the matchers in `more` match, and the user wants.
    #[must_use]
    pub fn selector(&self, name: &str, more: &[String]) -> String {
        let own = self.options.matchers.iter().map(|(label, value)| equals(label, value));
        let matchers: Vec<String> = more.iter().cloned().chain(own).collect();
        format!("{name}{{{}}}", matchers.join(","))
    }

    /// What `expression` is at a point in time.
    ///
    /// # Errors
    ///
    /// When there is no answer, or none that can be relied on.
    pub async fn query(&mut self, expression: &str, at: f64) -> Result<Vec<Series>, StoreError> {
        let time = format!("{at:.3}");
        let body = self.post("api/v1/query", &[("query", expression), ("time", &time)]).await?;
        let matrix: Matrix = self.heard.open(&body)?;
        Ok(matrix.result)
    }

    /// The same as it came, for whoever can ask for less: what takes the store too long is not asked for again.
    pub(super) async fn ask(&mut self, expression: &str, at: f64) -> Result<Vec<u8>, StoreError> {
        let time = format!("{at:.3}");
        let form = form(&[("query", expression), ("time", &time)]);
        self.fetch("api/v1/query", Some(form), is_overtime).await
    }

    /// The samples of `selector` in a span, oldest first, in as many answers as it takes to keep each small. A sample
    /// between two answers may be in both.
    ///
    /// # Errors
    ///
    /// As [`Api::query`].
    pub async fn samples(
        &mut self,
        selector: &str,
        span: Span,
        mut take: impl FnMut(Vec<Series>),
    ) -> Result<(), StoreError> {
        let mut pages = Pages::of(self, selector.to_owned(), span);
        while let Some(body) = pages.next(self).await? {
            let matrix: Matrix = self.heard.open(&body)?;
            drop(body);
            take(matrix.result);
        }
        Ok(())
    }

    /// The label sets of all series that a selector matches and that have samples in the span.
    ///
    /// # Errors
    ///
    /// As [`Api::query`].
    pub async fn series(&mut self, selectors: &[String], span: Span) -> Result<Vec<Labels>, StoreError> {
        let (start, end) = (format!("{:.3}", span.from), format!("{:.3}", span.to));
        let mut pairs = vec![("start", start.as_str()), ("end", end.as_str())];
        pairs.extend(selectors.iter().map(|selector| ("match[]", selector.as_str())));
        let body = self.post("api/v1/series", &pairs).await?;
        self.heard.open(&body)
    }

    /// The values of a label of all series that a selector matches.
    ///
    /// # Errors
    ///
    /// As [`Api::query`].
    pub async fn values_of(
        &mut self,
        label: &str,
        selector: &str,
        span: Span,
    ) -> Result<BTreeSet<String>, StoreError> {
        let (start, end) = (format!("{:.3}", span.from), format!("{:.3}", span.to));
        let pairs = [("start", start.as_str()), ("end", end.as_str()), ("match[]", selector)];
        let path = format!("api/v1/label/{label}/values?{}", form(&pairs));
        let body = self.fetch(&path, None, |_| false).await?;
        self.heard.open(&body)
    }

    /// What is known of a metric.
    ///
    /// # Errors
    ///
    /// As [`Api::query`].
    pub async fn metadata<T: DeserializeOwned>(&mut self, metric: &str) -> Result<T, StoreError> {
        let path = format!("api/v1/metadata?{}", form(&[("metric", metric), ("limit", "1")]));
        let body = self.fetch(&path, None, |_| false).await?;
        self.heard.open(&body)
    }

    async fn post(&mut self, path: &str, pairs: &[(&str, &str)]) -> Result<Vec<u8>, StoreError> {
        self.fetch(path, Some(form(pairs)), |_| false).await
    }

    /// `is_final` knows what asking again does not change, whatever the status says.
    async fn fetch(
        &mut self,
        path: &str,
        form: Option<String>,
        is_final: fn(&StoreError) -> bool,
    ) -> Result<Vec<u8>, StoreError> {
        let path = self.prefix.join(path).path;
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(StoreError::Deadline(self.options.timeout * QUERIES_TIMES));
            }
            let limits = Limits { timeout: self.options.timeout.min(left), body_bytes: MAX_BYTES };
            let answer = match &form {
                Some(form) => self.client.post(&path, form.clone(), limits).await,
                None => self.client.get_at(&path, "application/json", limits).await,
            };
            let (error, wanted) = match answer {
                Ok(answer) if answer.status == 200 => return Ok(answer.body),
                Ok(answer) if !matches!(answer.status, 429 | 502 | 503 | 504) => {
                    return Err(refused(&answer));
                }
                Ok(answer) => (refused(&answer), wanted_pause(&answer)),
                Err(error @ (HttpError::Connect { .. } | HttpError::Protocol(_))) => (error.into(), None),
                Err(error) => return Err(error.into()),
            };
            if self.retries == 0 || is_final(&error) {
                return Err(error);
            }
            self.retries -= 1;
            let pause = wanted.unwrap_or(self.pause).min(LONGEST_PAUSE).min(left);
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
            tokio::time::sleep(pause).await;
        }
    }
}

/// Whether less at a time may work.
pub(super) fn is_too_much(error: &StoreError) -> bool {
    match error {
        StoreError::Http(HttpError::TooLong(_) | HttpError::Timeout(_)) => true,
        StoreError::Refused { .. } if is_overtime(error) => true,
        // Prometheus: "query processing would load too many samples into memory"; others have limits alike.
        StoreError::Refused { why, .. } => {
            let why = why.to_ascii_lowercase();
            ["too many samples", "too many points", "limit", "exceed"].iter().any(|sign| why.contains(sign))
        }
        StoreError::Http(_)
        | StoreError::Status { .. }
        | StoreError::NoApi { .. }
        | StoreError::Partial(_)
        | StoreError::TooLarge { .. }
        | StoreError::TooMuch(_)
        | StoreError::NoAgents { .. }
        | StoreError::Deadline(_) => false,
    }
}

/// Whether the store gave up as the query took too long. Prometheus: HTTP 503, "timeout", "query timed out in …".
fn is_overtime(error: &StoreError) -> bool {
    let StoreError::Refused { kind, why } = error else { return false };
    kind == "timeout" || why.to_ascii_lowercase().contains("timed out")
}

fn refused(answer: &Answer) -> StoreError {
    if let Some(refusal) = answer::refused(&answer.body)
        && !matches!(answer.status, 401 | 403)
    {
        return refusal;
    }
    let why = match answer.status {
        300..=399 => "redirects are not followed; name the place where it sends to".to_owned(),
        401 => "it wants to know who asks; give a password or a token with --source.config".to_owned(),
        403 => "it does not let this one in; check the password, token or certificate of --source.config"
            .to_owned(),
        404 | 405 => "check the prefix of the address: /api/v1/query is added to it".to_owned(),
        _ => {
            let text = String::from_utf8_lossy(&answer.body);
            let text = if text.trim_start().starts_with('<') { "a page for people" } else { &text };
            answer::shown(text).chars().take(100).collect()
        }
    };
    StoreError::Status { status: answer.status, why }
}

/// How long the store asks to be left alone.
fn wanted_pause(answer: &Answer) -> Option<Duration> {
    let seconds = answer.headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// A matcher of series whose label has this value.
pub(super) fn equals(label: &str, value: &str) -> String {
    format!("{label}={}", quoted(value))
}

/// A matcher of series whose label has a value that a regular expression matches as a whole.
pub(super) fn matches(label: &str, expression: &str) -> String {
    format!("{label}=~{}", quoted(expression))
}

/// A string as PromQL writes it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_hold_what_the_user_wants() {
        let options = Options { matchers: vec![("job".into(), "a\"b".into())], ..Options::default() };
        let prefix: Address = "http://h:1/p".parse().unwrap();
        let api = Api::new(prefix, &Access::default(), Arc::default(), options);
        assert_eq!(api.selector("x", &[equals("probe", "cpu")]), r#"x{probe="cpu",job="a\"b"}"#);
    }
}
