//! `lat_udp`, `lat_tcp` and `lat_connect` over the loopback interface: a client, and a server in a child, on the same CPU
//! or on another.
#![expect(unsafe_code, reason = "a fork has no safe form")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::ensure;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork};

use super::{Far, Rhythm, call};

/// Bytes each way, as many as the agent sends.
const MESSAGE: usize = 64;

/// Connections whose median counts; each is timed alone.
const CONNECTIONS: usize = 500;

/// Of which so many follow a pause, in the agent's rhythm.
const CONNECTIONS_OF_A_TURN: usize = 8;

/// A server that ends with the value, or with this process where it is a thread.
struct Server(Option<Pid>);

impl Server {
    /// Runs `serve` in a child or a thread.
    fn start(far: Far, serve: impl FnOnce() -> anyhow::Result<()> + Send + 'static) -> anyhow::Result<Self> {
        if matches!(far, Far::Thread) {
            // An error shows at the client.
            std::thread::spawn(serve);
            return Ok(Self(None));
        }
        // SAFETY: this process has one thread.
        match unsafe { fork()? } {
            ForkResult::Parent { child } => Ok(Self(Some(child))),
            ForkResult::Child => {
                let _shows_at_the_client = nix::sys::prctl::set_pdeathsig(Signal::SIGKILL);
                let status = i32::from(serve().is_err());
                // SAFETY: ends the process without running anything of the parent's.
                unsafe { nix::libc::_exit(status) }
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let Some(child) = self.0 else { return };
        let _has_ended_by_itself = kill(child, Signal::SIGKILL);
        let _reaped = waitpid(child, None);
    }
}

fn local() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

pub(super) fn udp(far: Far, other_cpu: Option<&String>, rhythm: Rhythm) -> anyhow::Result<f64> {
    let (ours, theirs) = (UdpSocket::bind(local())?, UdpSocket::bind(local())?);
    ours.connect(theirs.local_addr()?)?;
    ours.set_read_timeout(Some(Duration::from_secs(5)))?;
    theirs.connect(ours.local_addr()?)?;
    let other = other_cpu.cloned();
    let _server = Server::start(far, move || {
        super::go_to(other.as_ref())?;
        let mut message = [0; MESSAGE];
        loop {
            theirs.recv(&mut message)?;
            theirs.send(&message)?;
        }
    })?;
    let mut message = [0; MESSAGE];
    rhythm.time(|| {
        ours.send(&message)?;
        ensure!(ours.recv(&mut message)? == MESSAGE, "a short datagram");
        Ok(())
    })
}

pub(super) fn tcp(far: Far, other_cpu: Option<&String>, rhythm: Rhythm) -> anyhow::Result<f64> {
    let listener = TcpListener::bind(local())?;
    let address = listener.local_addr()?;
    let other = other_cpu.cloned();
    let _server = Server::start(far, move || {
        super::go_to(other.as_ref())?;
        let (mut stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        let mut message = [0; MESSAGE];
        loop {
            stream.read_exact(&mut message)?;
            stream.write_all(&message)?;
        }
    })?;
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut message = [0; MESSAGE];
    rhythm.time(|| {
        stream.write_all(&message)?;
        Ok(stream.read_exact(&mut message)?)
    })
}

/// lmbench's server waits in `accept` and is woken by each connection, which on one CPU is a switch before `connect`
/// returns. Here the far end takes the connection up afterwards: the time is that of the network alone.
pub(super) fn connect(rhythm: Rhythm) -> anyhow::Result<f64> {
    call::share_descriptors();
    let listener = TcpListener::bind(local())?;
    let address = listener.local_addr()?;
    let mut seconds = Vec::with_capacity(CONNECTIONS);
    for number in 0..CONNECTIONS {
        let in_turn = number % CONNECTIONS_OF_A_TURN;
        if rhythm == Rhythm::Few && in_turn == 0 {
            std::thread::sleep(super::PAUSE);
        }
        let begin = Instant::now();
        let ours = TcpStream::connect(address)?;
        let taken = begin.elapsed();
        if rhythm == Rhythm::OnEnd || in_turn >= super::WARM_UP {
            seconds.push(taken.as_secs_f64());
        }
        let (theirs, _) = listener.accept()?;
        // A byte that nobody reads: closing is then a reset, which leaves nothing behind.
        (&ours).write_all(&[0])?;
        drop(theirs);
    }
    Ok(super::median(seconds))
}
