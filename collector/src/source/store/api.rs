//! Asks a store.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::header::RETRY_AFTER;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::answer::{self, Matrix, Notes, Said, Series};
use super::heard::Listed;
use super::pages::{Pages, Sizes};
use super::stream::{Decoder, Sink};
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

/// A store, while it is read; asks one query after the other.
#[derive(Debug)]
pub struct Api {
    client: Client,
    prefix: Address,
    options: Arc<Options>,
    deadline: Instant,
    shared: Arc<Shared>,
    /// For another connection.
    access: Arc<Access>,
    net: Arc<Net>,
}

/// What is the same for all who ask a store at the same time.
#[derive(Debug, Default)]
pub(super) struct Shared {
    patience: Mutex<Patience>,
    sizes: Mutex<Sizes>,
    /// What it said beside what it was asked for.
    notes: Mutex<Notes>,
}

/// How often a store is asked again.
#[derive(Debug)]
struct Patience {
    retries: usize,
    pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { retries: RETRIES, pause: FIRST_PAUSE }
    }
}

impl Shared {
    /// Learns of the sizes of answers.
    pub(super) fn learn<T>(&self, learn: impl FnOnce(&mut Sizes) -> T) -> T {
        learn(&mut self.sizes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What the store said so far beside what it was asked for.
    pub(super) fn notes(&self) -> Notes {
        std::mem::take(&mut self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note<T>(&self, said: Said<T>) -> T {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).note(said)
    }

    /// How long to wait before asking once more, `None` when that was often enough. `wanted` is what the store asks for.
    fn pause(&self, wanted: Option<Duration>) -> Option<Duration> {
        let mut patience = self.patience.lock().unwrap_or_else(PoisonError::into_inner);
        patience.retries = patience.retries.checked_sub(1)?;
        let pause = wanted.unwrap_or(patience.pause).min(LONGEST_PAUSE);
        patience.pause = (patience.pause * 2).min(LONGEST_PAUSE);
        Some(pause)
    }
}

impl Api {
    /// The store at `prefix`, to which the paths of the API are added.
    #[must_use]
    pub fn new(prefix: Address, access: &Access, net: Arc<Net>, options: Options) -> Self {
        let access = Arc::new(access.with_headers(&options.headers));
        Self {
            client: Client::new(prefix.clone(), Arc::clone(&access), Arc::clone(&net)).of_large_answers(),
            prefix,
            deadline: Instant::now() + options.timeout * QUERIES_TIMES,
            options: Arc::new(options),
            shared: Arc::default(),
            access,
            net,
        }
    }

    /// The same store over another connection, within the same limits.
    pub(super) fn another(&self) -> Self {
        let client = Client::new(self.prefix.clone(), Arc::clone(&self.access), Arc::clone(&self.net));
        Self {
            client: client.of_large_answers(),
            prefix: self.prefix.clone(),
            deadline: self.deadline,
            options: Arc::clone(&self.options),
            shared: Arc::clone(&self.shared),
            access: Arc::clone(&self.access),
            net: Arc::clone(&self.net),
        }
    }

    /// What is the same for all who ask it.
    pub(super) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
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
        let vector: Matrix = self.shared.note(answer::open(&body)?);
        Ok(vector.result)
    }

    /// Tells `sink` the samples of what `expression` selects, as they come; says how many bytes the answer had, and how
    /// many of these were labels. For whoever can ask for less: what takes the store too long is not asked for again.
    pub(super) async fn hear(
        &mut self,
        expression: &str,
        at: f64,
        sink: &mut impl Sink,
    ) -> Result<(usize, usize), StoreError> {
        let time = format!("{at:.3}");
        let form = form(&[("query", expression), ("time", &time)]);
        let path = self.prefix.join("api/v1/query").path;
        loop {
            let limits = self.limits()?;
            let mut decoder = Decoder::new(sink);
            let answer = self.client.post_through(&path, form.clone(), limits, &mut decoder).await;
            match self.judge(answer, is_overtime) {
                Ok(_) => {
                    let bytes = (decoder.bytes(), decoder.label_bytes());
                    self.shared.note(decoder.end()?);
                    return Ok(bytes);
                }
                Err(Refusal::Last(error)) => return Err(error),
                Err(Refusal::After(pause)) => tokio::time::sleep(pause.min(limits.timeout)).await,
            }
        }
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
        let mut listed = Listed::default();
        while pages.next(self, &mut listed).await? {
            take(std::mem::take(&mut listed.series));
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
        Ok(self.shared.note(answer::open(&body)?))
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
        let body = self.fetch(&path, None).await?;
        Ok(self.shared.note(answer::open(&body)?))
    }

    /// What is known of a metric.
    ///
    /// # Errors
    ///
    /// As [`Api::query`].
    pub async fn metadata<T: DeserializeOwned>(&mut self, metric: &str) -> Result<T, StoreError> {
        let path = format!("api/v1/metadata?{}", form(&[("metric", metric), ("limit", "1")]));
        let body = self.fetch(&path, None).await?;
        Ok(self.shared.note(answer::open(&body)?))
    }

    async fn post(&mut self, path: &str, pairs: &[(&str, &str)]) -> Result<Vec<u8>, StoreError> {
        self.fetch(path, Some(form(pairs))).await
    }

    async fn fetch(&mut self, path: &str, form: Option<String>) -> Result<Vec<u8>, StoreError> {
        let path = self.prefix.join(path).path;
        loop {
            let limits = self.limits()?;
            let answer = match &form {
                Some(form) => self.client.post(&path, form.clone(), limits).await,
                None => self.client.get_at(&path, "application/json", limits).await,
            };
            match self.judge(answer, |_| false) {
                Ok(answer) => return Ok(answer.body),
                Err(Refusal::Last(error)) => return Err(error),
                Err(Refusal::After(pause)) => tokio::time::sleep(pause.min(limits.timeout)).await,
            }
        }
    }

    /// What the next query may cost.
    fn limits(&self) -> Result<Limits, StoreError> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(StoreError::Deadline(self.options.timeout * QUERIES_TIMES));
        }
        Ok(Limits { timeout: self.options.timeout.min(left), body_bytes: MAX_BYTES })
    }

    /// Whether there is an answer, or may be one later. `is_final` knows what asking again does not change, whatever the
    /// status says.
    fn judge(
        &self,
        answer: Result<Answer, HttpError>,
        is_final: fn(&StoreError) -> bool,
    ) -> Result<Answer, Refusal> {
        let (error, wanted) = match answer {
            Ok(answer) if answer.status == 200 => return Ok(answer),
            Ok(answer) if !matches!(answer.status, 429 | 502 | 503 | 504) => {
                return Err(Refusal::Last(refused(&answer)));
            }
            Ok(answer) => (refused(&answer), wanted_pause(&answer)),
            Err(error @ (HttpError::Connect { .. } | HttpError::Protocol(_))) => (error.into(), None),
            Err(error) => return Err(Refusal::Last(error.into())),
        };
        let pause = if is_final(&error) { None } else { self.shared.pause(wanted) };
        Err(pause.map_or(Refusal::Last(error), Refusal::After))
    }
}

/// What a query that has no answer leads to.
enum Refusal {
    /// There is none to be had.
    Last(StoreError),
    /// It is asked once more after a pause.
    After(Duration),
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
