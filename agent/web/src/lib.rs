//! How the agent and the collector answer over HTTP.
//!
//! - [`listen`](mod@listen): from addresses to listening sockets.
//! - [`Limits`]: what clients may take of connections, bytes and time.
//! - [`serve`]: accepts on all listeners until it is told to end, and ends in order.
//! - `connection`: the one place where a stream becomes a connection; TLS belongs there.
//! - `door`: the one place where a request is let in; authentication belongs there. It also answers for health.
//! - [`gzip`]: answers made smaller.
//! - [`Site`]: what a program has to say; [`Request`] and [`answer`] are what it says it with.
//! - [`page`]: the landing page, and text made safe for HTML.
//!
//! Plain HTTP/1.1 for now. Knows neither probes nor comparisons.

pub mod answer;
mod connection;
mod door;
pub mod gzip;
mod limits;
pub mod listen;
pub mod page;
mod request;
mod server;
mod stall;

pub use answer::Response;
pub use door::Refusal;
pub use hyper::StatusCode;
pub use hyper::header::{HeaderValue, RETRY_AFTER};
pub use limits::Limits;
pub use listen::{ListenError, listen};
pub use request::{QueryError, Request, parameters};
pub use server::serve;

use std::future::Future;

/// What a program has to say over HTTP.
pub trait Site: Send + Sync + 'static {
    /// The answer to a request that was let in, its method being GET or HEAD; `None` where there is nothing.
    ///
    /// `/-/healthy` and `/-/ready` are answered by the server unless this does.
    fn answer(&self, request: &Request) -> impl Future<Output = Option<Response>> + Send;

    /// Why the program is not ready to be asked; `None` once it is.
    fn not_ready(&self) -> Option<String>;

    /// The answer to a request that is not let in, or that asks for what does not exist.
    fn refuse(&self, request: &Request, refusal: Refusal) -> Response {
        let _the_same_for_all = request;
        answer::plain(refusal.status(), format!("{refusal}\n"))
    }

    /// The answer as it goes out. A site that wants long ones compressed says so here, with [`gzip::compressed`];
    /// one that does not, does not carry the code.
    fn finish(&self, request: &Request, response: Response) -> impl Future<Output = Response> + Send {
        let _as_it_is = request;
        std::future::ready(response)
    }
}
