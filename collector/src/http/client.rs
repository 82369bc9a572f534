//! One request after the other to one place, over a connection that is kept.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::pieces::{self, Pieces};
use super::{Access, Address, HttpError, Net, body};
use crate::source::unpack;

/// Read at a time from a connection, in bytes; hyper takes no less. Each kept connection may hold on to so much.
const BUFFER_BYTES: usize = 8 * 1024;
/// The same where answers are large: the fewer system calls the better, as long as a piece stays in the cache.
const LARGE_BUFFER_BYTES: usize = 128 * 1024;
const USER_AGENT: &str = concat!("tierprobe-collector/", env!("CARGO_PKG_VERSION"));

/// What an answer may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From the look-up of the name to the last byte.
    pub timeout: Duration,
    /// Longest body, packed and unpacked, in bytes.
    pub body_bytes: usize,
}

/// An answer, whatever it says.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, unpacked.
    pub body: Vec<u8>,
}

impl Answer {
    /// The type of the body without its parameters, in lower case; empty where it is not said.
    #[must_use]
    pub fn mime_type(&self) -> String {
        let text = self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        text.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }
}

/// Asks one place. Its connection is kept between requests as long as both sides want it.
#[derive(Debug)]
pub struct Client {
    address: Address,
    access: Arc<Access>,
    net: Arc<Net>,
    buffer_bytes: usize,
    kept: Option<Connection>,
}

impl Client {
    /// A client for one place.
    #[must_use]
    pub const fn new(address: Address, access: Arc<Access>, net: Arc<Net>) -> Self {
        Self { address, access, net, buffer_bytes: BUFFER_BYTES, kept: None }
    }

    /// The same for one whose answers are large.
    #[must_use]
    pub(crate) const fn of_large_answers(mut self) -> Self {
        self.buffer_bytes = LARGE_BUFFER_BYTES;
        self
    }

    /// Gets the address itself.
    ///
    /// # Errors
    ///
    /// When there is no complete answer within the limits.
    pub async fn get(&mut self, accept: &'static str, limits: Limits) -> Result<Answer, HttpError> {
        let path = self.address.path.clone();
        self.get_at(&path, accept, limits).await
    }

    /// Gets another path at the same place.
    ///
    /// # Errors
    ///
    /// When there is no complete answer within the limits.
    pub async fn get_at(
        &mut self,
        path: &str,
        accept: &'static str,
        limits: Limits,
    ) -> Result<Answer, HttpError> {
        let build = |request: hyper::http::request::Builder| {
            request.method(Method::GET).uri(path).header(header::ACCEPT, accept).body(Full::default())
        };
        self.send(limits, build, None).await
    }

    /// Sends a form to `path` at the place.
    ///
    /// # Errors
    ///
    /// When there is no complete answer within the limits.
    pub async fn post(&mut self, path: &str, form: String, limits: Limits) -> Result<Answer, HttpError> {
        self.post_form(path, form, limits, None).await
    }

    /// The same, where the body of a success goes into `pieces` as it comes and is none of the answer's. It counts once
    /// there is an answer: until then it may break off, and be asked for again.
    pub(crate) async fn post_through(
        &mut self,
        path: &str,
        form: String,
        limits: Limits,
        pieces: &mut dyn Pieces,
    ) -> Result<Answer, HttpError> {
        self.post_form(path, form, limits, Some(pieces)).await
    }

    async fn post_form(
        &mut self,
        path: &str,
        form: String,
        limits: Limits,
        pieces: Option<&mut dyn Pieces>,
    ) -> Result<Answer, HttpError> {
        let form = Bytes::from(form);
        let build = |request: hyper::http::request::Builder| {
            request
                .method(Method::POST)
                .uri(path)
                .header(header::ACCEPT, "application/json")
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(Full::new(form.clone()))
        };
        self.send(limits, build, pieces).await
    }

    async fn send(
        &mut self,
        limits: Limits,
        build: impl Fn(hyper::http::request::Builder) -> hyper::http::Result<Request<Full<Bytes>>>,
        pieces: Option<&mut dyn Pieces>,
    ) -> Result<Answer, HttpError> {
        // The connection is in nobody's hands while a request is under way: when that fails or takes too long, it
        // is closed and not used again.
        let kept = self.kept.take();
        let exchange = self.exchange(kept, limits, build, pieces);
        let result = tokio::time::timeout(limits.timeout, exchange).await;
        let (answer, connection) = result.map_err(|_| HttpError::Timeout(limits.timeout))??;
        self.kept = connection;
        Ok(answer)
    }

    async fn exchange(
        &self,
        kept: Option<Connection>,
        limits: Limits,
        build: impl Fn(hyper::http::request::Builder) -> hyper::http::Result<Request<Full<Bytes>>>,
        pieces: Option<&mut dyn Pieces>,
    ) -> Result<(Answer, Option<Connection>), HttpError> {
        let place = self.address.authority();
        let request = || self.request(&place, &build);
        let old = match kept {
            Some(mut connection) => connection.sender.ready().await.is_ok().then_some(connection),
            None => None,
        };
        let (response, connection) = match old {
            Some(mut connection) => match connection.sender.send_request(request()?).await {
                Ok(response) => (response, connection),
                // It was closed on the other side in the meantime, as is its right: that is no failure.
                Err(error) if error.is_canceled() || error.is_incomplete_message() || error.is_closed() => {
                    self.anew(&place, request()?, limits.timeout).await?
                }
                Err(error) => return Err(HttpError::of(&place, &error)),
            },
            None => self.anew(&place, request()?, limits.timeout).await?,
        };
        let (head, incoming) = response.into_parts();
        let (limit, message) = (limits.body_bytes, (&head.headers, incoming));
        let (body, connection) = match pieces {
            Some(taker) if head.status == StatusCode::OK => {
                let is_whole = pieces::pass(&self.net, &place, message, limit, taker).await?;
                // Of what nobody wants the rest of, the rest is still to come.
                (Vec::new(), is_whole.then_some(connection))
            }
            Some(_) | None => (body::read(&self.net, &place, message, limit).await?, Some(connection)),
        };
        Ok((Answer { status: head.status.as_u16(), headers: head.headers, body }, connection))
    }

    async fn anew(
        &self,
        place: &str,
        request: Request<Full<Bytes>>,
        timeout: Duration,
    ) -> Result<(Response<hyper::body::Incoming>, Connection), HttpError> {
        let mut connection = self.connect(place, timeout).await?;
        let response = connection.sender.send_request(request).await;
        Ok((response.map_err(|error| HttpError::of(place, &error))?, connection))
    }

    fn request(
        &self,
        place: &str,
        build: &impl Fn(hyper::http::request::Builder) -> hyper::http::Result<Request<Full<Bytes>>>,
    ) -> Result<Request<Full<Bytes>>, HttpError> {
        let mut request = build(
            Request::builder()
                .header(header::HOST, place)
                .header(header::USER_AGENT, USER_AGENT)
                // On one machine packing costs both sides more than it saves.
                .header(
                    header::ACCEPT_ENCODING,
                    if self.address.is_loopback() { "identity" } else { unpack::ACCEPTED },
                ),
        )
        .map_err(|error| HttpError::Protocol(error.to_string()))?;
        let headers = request.headers_mut();
        headers.extend(self.access.headers().iter().cloned());
        if let Some(value) = self.access.authorization()? {
            headers.insert(header::AUTHORIZATION, value);
        }
        Ok(request)
    }

    async fn connect(&self, place: &str, timeout: Duration) -> Result<Connection, HttpError> {
        let stream = self.tcp(place, timeout).await?;
        let failed = |error: io::Error| HttpError::Connect { place: place.to_owned(), error };
        // Requests are one packet and wait for nothing.
        stream.set_nodelay(true).map_err(failed)?;
        if !self.address.secure {
            return Connection::over(place, stream, self.buffer_bytes).await;
        }
        let named = self.access.tls.server_name.as_ref().unwrap_or(&self.address.host);
        let name = ServerName::try_from(named.clone()).map_err(|_| HttpError::Tls {
            place: place.to_owned(),
            why: format!("{named:?} is no name of a host"),
        })?;
        let tls = TlsConnector::from(self.access.config()?).connect(name, stream).await;
        let stream = tls.map_err(|error| HttpError::of_handshake(place, &error))?;
        Connection::over(place, stream, self.buffer_bytes).await
    }

    /// Tries all addresses of the host, one after the other. Each but the last may take an even share of the time, so
    /// that one that nobody answers on does not take it all.
    async fn tcp(&self, place: &str, timeout: Duration) -> Result<TcpStream, HttpError> {
        let host = &self.address.host;
        let addresses = self.net.names.addresses(host).await?;
        let share = timeout / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
        let mut last = None;
        for address in addresses {
            let connect = TcpStream::connect(SocketAddr::new(address, self.address.port()));
            match tokio::time::timeout(share, connect).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = Some(error),
                Err(_) => last = Some(io::ErrorKind::TimedOut.into()),
            }
        }
        match last {
            Some(error) => Err(HttpError::Connect { place: place.to_owned(), error }),
            None => Err(HttpError::Name { host: host.clone(), why: "it has no address".to_owned() }),
        }
    }
}

/// A connection with the task that moves its bytes.
#[derive(Debug)]
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    task: JoinHandle<()>,
}

impl Connection {
    async fn over<S>(place: &str, stream: S, buffer_bytes: usize) -> Result<Self, HttpError>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(buffer_bytes)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| HttpError::of(place, &error))?;
        // Its error comes to whoever waits for the answer.
        let task = tokio::spawn(async move {
            let _ended = connection.await;
        });
        Ok(Self { sender, task })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A header from `NAME` and `VALUE` as the user wrote them.
///
/// # Errors
///
/// Which of the two cannot be in a request.
pub fn header(name: &str, value: &str) -> Result<(header::HeaderName, HeaderValue), String> {
    let name: header::HeaderName =
        name.trim().parse().map_err(|_| format!("{name:?} is no name of a header"))?;
    let mut value = HeaderValue::from_str(value.trim())
        .map_err(|_| format!("the value of {name} holds what cannot be in a header"))?;
    // It may well be a secret.
    value.set_sensitive(true);
    Ok((name, value))
}
