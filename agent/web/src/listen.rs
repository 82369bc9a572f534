//! From addresses to listening sockets.

use std::net::SocketAddr;

use tokio::net::TcpListener;

/// Why there is no listening at an address.
#[derive(Debug, thiserror::Error)]
#[error("--web.listen-address: cannot listen on {address}; is another {program} running there?")]
pub struct ListenError {
    /// Where.
    pub address: SocketAddr,
    /// Who may be there already.
    pub program: &'static str,
    /// What the system said.
    #[source]
    pub error: std::io::Error,
}

/// Opens the listening sockets of `program`, such as `agent`.
///
/// # Errors
///
/// The address, and what the system said about it.
pub async fn listen(
    addresses: &[SocketAddr],
    program: &'static str,
) -> Result<Vec<TcpListener>, ListenError> {
    let mut listeners = Vec::new();
    for &address in addresses {
        let listener = TcpListener::bind(address).await;
        listeners.push(listener.map_err(|error| ListenError { address, program, error })?);
    }
    Ok(listeners)
}
