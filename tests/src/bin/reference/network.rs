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

/// Both ends of a way for datagrams.
fn udp_ends() -> anyhow::Result<(UdpSocket, UdpSocket)> {
    let (ours, theirs) = (UdpSocket::bind(local())?, UdpSocket::bind(local())?);
    ours.connect(theirs.local_addr()?)?;
    ours.set_read_timeout(Some(Duration::from_secs(5)))?;
    theirs.connect(ours.local_addr()?)?;
    Ok((ours, theirs))
}

fn answer_udp(socket: &UdpSocket) -> anyhow::Result<()> {
    let mut message = [0; MESSAGE];
    loop {
        socket.recv(&mut message)?;
        socket.send(&message)?;
    }
}

fn exchange_udp(socket: &UdpSocket) -> anyhow::Result<()> {
    let mut message = [0; MESSAGE];
    socket.send(&message)?;
    ensure!(socket.recv(&mut message)? == MESSAGE, "a short datagram");
    Ok(())
}

/// Both ends of a connection.
fn tcp_ends() -> anyhow::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind(local())?;
    let ours = TcpStream::connect(listener.local_addr()?)?;
    let (theirs, _) = listener.accept()?;
    ours.set_nodelay(true)?;
    theirs.set_nodelay(true)?;
    ours.set_read_timeout(Some(Duration::from_secs(5)))?;
    Ok((ours, theirs))
}

fn answer_tcp(mut stream: &TcpStream) -> anyhow::Result<()> {
    let mut message = [0; MESSAGE];
    loop {
        stream.read_exact(&mut message)?;
        stream.write_all(&message)?;
    }
}

fn exchange_tcp(mut stream: &TcpStream) -> anyhow::Result<()> {
    let mut message = [0; MESSAGE];
    stream.write_all(&message)?;
    Ok(stream.read_exact(&mut message)?)
}

pub(super) fn udp(far: Far, other_cpu: Option<&String>, rhythm: Rhythm) -> anyhow::Result<f64> {
    let (ours, theirs) = udp_ends()?;
    let other = other_cpu.cloned();
    let _server = Server::start(far, move || {
        super::go_to(other.as_ref())?;
        answer_udp(&theirs)
    })?;
    rhythm.time(|| exchange_udp(&ours))
}

pub(super) fn tcp(far: Far, other_cpu: Option<&String>, rhythm: Rhythm) -> anyhow::Result<f64> {
    let (ours, theirs) = tcp_ends()?;
    let other = other_cpu.cloned();
    let _server = Server::start(far, move || {
        super::go_to(other.as_ref())?;
        answer_tcp(&theirs)
    })?;
    rhythm.time(|| exchange_tcp(&ours))
}

/// The calls of `sockperf`: its sockets are connected to nobody, so that each message names whom it is for, whose route
/// is looked up, and each receipt asks whom it is from; and its ends are processes.
pub(super) fn udp_addressed() -> anyhow::Result<f64> {
    let (ours, theirs) = (UdpSocket::bind(local())?, UdpSocket::bind(local())?);
    ours.set_read_timeout(Some(Duration::from_secs(5)))?;
    let far = theirs.local_addr()?;
    let _server = Server::start(Far::Process, move || {
        let mut message = [0; MESSAGE];
        loop {
            let (_, from) = theirs.recv_from(&mut message)?;
            theirs.send_to(&message, from)?;
        }
    })?;
    let mut message = [0; MESSAGE];
    Rhythm::OnEnd.time(|| {
        ours.send_to(&message, far)?;
        ensure!(ours.recv_from(&mut message)?.0 == MESSAGE, "a short datagram");
        Ok(())
    })
}

pub(super) fn udp_across_few(other: &str) -> anyhow::Result<f64> {
    let (ours, theirs) = udp_ends()?;
    super::time_across(other, move || answer_udp(&theirs), || exchange_udp(&ours))
}

pub(super) fn tcp_across_few(other: &str) -> anyhow::Result<f64> {
    let (ours, theirs) = tcp_ends()?;
    super::time_across(other, move || answer_tcp(&theirs), || exchange_tcp(&ours))
}

/// lmbench's server waits in `accept` and is woken by each connection, which on one CPU is a switch before `connect`
/// returns. Here the far end takes the connection up afterwards: the time is that of the network alone.
pub(super) fn connect(rhythm: Rhythm) -> anyhow::Result<f64> {
    call::share_descriptors();
    let listener = TcpListener::bind(local())?;
    let address = listener.local_addr()?;
    let once = || -> anyhow::Result<f64> {
        let begin = Instant::now();
        let ours = TcpStream::connect(address)?;
        let taken = begin.elapsed();
        let (theirs, _) = listener.accept()?;
        // A byte that nobody reads: closing is then a reset, which leaves nothing behind.
        (&ours).write_all(&[0])?;
        drop(theirs);
        Ok(taken.as_secs_f64())
    };
    match rhythm {
        Rhythm::OnEnd => Ok(super::median((0..CONNECTIONS).map(|_| once()).collect::<Result<_, _>>()?)),
        Rhythm::Few(counted) => {
            let (near, far) = tcp_ends()?;
            let _server = Server::start(Far::Thread, move || answer_tcp(&far))?;
            super::turns(super::TURNS, || {
                std::thread::sleep(super::PAUSE);
                for _ in 0..super::BEFORE {
                    exchange_tcp(&near)?;
                }
                let seconds = (0..super::WARM_UP + counted).map(|_| once()).collect::<Result<Vec<_>, _>>()?;
                Ok(super::median(seconds.into_iter().skip(super::WARM_UP).collect()))
            })
        }
    }
}
