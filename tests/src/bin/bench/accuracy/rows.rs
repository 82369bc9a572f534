//! Which figure is held against which reference.

use super::boot::Boot;
use super::load;
use super::tools::{self, Fio};
use super::{Figure, Ours, Row, Site, Start, Theirs};

/// Goal for system calls, pipes and loopback.
const CLOSE: f64 = 0.05;

/// Goal for the rest.
const NEAR: f64 = 0.10;

const UDP_FEW: &str = "lat_udp in the agent's rhythm";
const TCP_FEW: &str = "lat_tcp in the agent's rhythm";

/// Rounds with a short pause: enough for a median that holds still; in several turns, as a machine that others use, too,
/// is faster in one second than in the next.
const fn ours<'a>(probe: &'a str, family: &'a str, labels: &'a [(&'a str, &'a str)]) -> Ours<'a> {
    Ours { probe, family, labels, figure: Figure::Median, rounds: 21, pause: "20ms", turns: 3 }
}

/// Fewer, of a probe that takes a tenth of a second and more for one.
const fn few<'a>(probe: &'a str, family: &'a str, labels: &'a [(&'a str, &'a str)]) -> Ours<'a> {
    Ours { rounds: 9, ..ours(probe, family, labels) }
}

/// The same beside a loop in its rhythm: in many short turns, as the speed of a machine that others use, too, and how
/// deeply its idle CPUs sleep drift within seconds.
const fn in_rhythm(ours: Ours<'_>) -> Ours<'_> {
    Ours { turns: 7, ..ours }
}

/// Hands each row to `take`.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn each(site: &Site<'_>, take: &mut dyn FnMut(&Row<'_>)) {
    let syscall = |call| ("tierprobe_syscall_seconds", [("syscall", call)]);
    type Alone<'a> = &'a dyn Fn() -> anyhow::Result<f64>;
    let mut row = |figure, reference, ours: Ours<'_>, start, goal, differs, theirs: Alone<'_>| {
        take(&Row { figure, reference, ours, start, goal, differs, theirs: Theirs::Alone(theirs) });
    };
    let agent = site.agent.to_string_lossy().into_owned();
    let on_tmpfs = site.on_tmpfs.to_string_lossy().into_owned();
    let place = site.place;
    let other = place.other.to_string();

    let (family, labels) = syscall("getppid");
    let getppid = ours("syscall", family, &labels);
    let mean = "perf's is the mean of 40 000 calls, or of 8000 exchanges with the start of their threads: what the CPU \
                lost meanwhile (see lost time) is in it, and with two threads four times what the C library spends on \
                whether a thread is being cancelled";
    row("getppid", "perf bench syscall basic", getppid, Start::Pinned, CLOSE, mean, &|| {
        tools::perf(place, &["syscall", "basic", "-l", "40000"])
    });
    for (figure, call, reference, arguments) in [
        ("getppid", "getppid", "lat_syscall null", ["syscall_null", ""]),
        ("read a byte", "read", "lat_syscall read", ["syscall_read", ""]),
        ("write a byte", "write", "lat_syscall write", ["syscall_write", ""]),
        ("open and close, root", "openat_close", "lat_syscall open", ["syscall_open", &agent]),
        ("open and close, tmpfs", "openat_close_tmpfs", "lat_syscall open", ["syscall_open", &on_tmpfs]),
        ("clock, as a system call", "clock_gettime", "lat_syscall's loop", ["syscall_clock", ""]),
        ("futex", "futex", "lat_syscall's loop", ["syscall_futex", ""]),
    ] {
        let (family, labels) = syscall(call);
        let ours = ours("syscall", family, &labels);
        row(figure, reference, ours, Start::Pinned, CLOSE, "", &|| site.reference(&arguments));
    }
    let vdso = ours("syscall", "tierprobe_syscall_vdso_seconds", &[]);
    row("clock, by the vDSO", "lat_syscall's loop", vdso, Start::Pinned, CLOSE, "", &|| {
        site.reference(&["vdso"])
    });
    let exit = ours("vm_exit", "tierprobe_vm_exit_seconds", &[("instruction", "cpuid")]);
    row("cpuid", "cpuid in a loop, by RDTSC", exit, Start::Pinned, NEAR, "", &|| {
        site.reference(&["vm_exit"])
    });
    let fault = ours("page_fault", "tierprobe_page_fault_seconds", &[("touch", "first_touch")]);
    let cold = "the agent clears a huge page at the end of each round, which takes the place of small pages in the caches; \
                lmbench's pages are those of its pass before. \"After others\" it writes to 2 MiB of its own first";
    row("page fault, first", "lat_pagefault, anonymous", fault, Start::Pinned, NEAR, cold, &|| {
        site.reference(&["page_fault"])
    });
    row("page fault, first", "lat_pagefault, after others", fault, Start::Pinned, NEAR, "", &|| {
        site.reference(&["page_fault_after_others"])
    });
    let again = ours("page_fault", "tierprobe_page_fault_seconds", &[("touch", "retouch")]);
    let again = Ours { turns: 5, ..again };
    row("page fault, again", "lat_pagefault, given back", again, Start::Pinned, NEAR, "", &|| {
        site.reference(&["page_fault_again"])
    });

    let ping_pong = |labels| few("scheduler", "tierprobe_scheduler_ping_pong_seconds", labels);
    let same = ping_pong(&[("placement", "same_cpu")]);
    row("pipes", "perf bench sched pipe -T", same, Start::Pinned, CLOSE, mean, &|| {
        tools::perf(place, &["sched", "pipe", "-T", "-l", "8000"])
    });
    let processes = "lat_pipe has two processes, the agent two threads: a switch between processes loads another page \
                     table";
    row("pipes", "lat_pipe", same, Start::Pinned, CLOSE, processes, &|| site.reference(&["pipe"]));
    row("pipes", "lat_pipe with threads", same, Start::Pinned, CLOSE, "", &|| {
        site.reference(&["pipe_threads"])
    });
    let alone = Ours {
        figure: Figure::GaugeMedian,
        rounds: 6,
        ..ours("scheduler", "tierprobe_scheduler_pipe_control_seconds", &[])
    };
    let cold =
        "lmbench's loop has the CPU on end; in the agent's rhythm it exchanges some bytes after a pause";
    row("a pipe alone", "lat_pipe's loop", alone, Start::Pinned, CLOSE, cold, &|| {
        site.reference(&["pipe_alone"])
    });
    let alone = in_rhythm(alone);
    row("a pipe alone", "lat_pipe's loop in the agent's rhythm", alone, Start::Pinned, CLOSE, "", &|| {
        site.reference(&["pipe_alone_few"])
    });
    let on_end = "lmbench's two have the CPUs on end; \"in the agent's rhythm\" they exchange a few messages after a \
                  pause, which finds the far CPU idle in another way";
    let cross = ping_pong(&[("placement", "cross_cpu")]);
    row("pipes across CPUs", "lat_pipe", cross, Start::OnBoth, CLOSE, on_end, &|| {
        site.reference(&["pipe", &other])
    });
    let cross = in_rhythm(cross);
    row("pipes across CPUs", "lat_pipe in the agent's rhythm", cross, Start::OnBoth, CLOSE, "", &|| {
        site.reference(&["pipe_across_few", &other])
    });
    let wake_up = ours("scheduler", "tierprobe_scheduler_wakeup_delay_seconds", &[]);
    let wake_up = Ours { rounds: 5, turns: 7, ..wake_up };
    let slack = "cyclictest leaves the timer slack at 50 µs unless its thread is a real-time one; here it inherits 1 ns, \
                 which is what the agent sets. Its main thread wakes every 10 ms on the same CPU, which then sleeps \
                 less deeply; such a thread runs beside the agent, too. Between its wake-ups the agent has its other \
                 threads exchange bytes, cyclictest does nothing";
    row("wake-up delay", "cyclictest --default-system", wake_up, Start::BesideASleeper, NEAR, slack, &|| {
        tools::cyclictest(place, false)
    });
    row("wake-up delay", "cyclictest's loop", wake_up, Start::Pinned, NEAR, "", &|| {
        site.reference(&["wake_up"])
    });
    row("wake-up delay, real-time", "cyclictest -p 1", wake_up, Start::Realtime, NEAR, "", &|| {
        tools::cyclictest(place, true)
    });

    let cpu = |family, figure, rounds, pause| Ours {
        probe: "cpu",
        family,
        labels: &[],
        figure,
        rounds,
        pause,
        turns: 3,
    };
    let lost = cpu("tierprobe_cpu_lost_ratio", Figure::GaugeMean, 150, "4ms");
    let alone = "oslat has the CPU for a second on end, the agent for 2 ms at a time, and counts the gaps that fall into \
                 them";
    row("lost time", "oslat", lost, Start::Pinned, NEAR, alone, &|| Ok(tools::oslat(place)?.lost));
    let tick = cpu("tierprobe_cpu_tick_seconds", Figure::GaugeMedian, 51, "4ms");
    let tick = in_rhythm(tick);
    row("timer tick", "oslat, median of all gaps", tick, Start::Pinned, NEAR, alone, &|| {
        Ok(tools::oslat(place)?.median)
    });
    for (figure, ours, argument) in [("lost time", in_rhythm(lost), "lost"), ("timer tick", tick, "tick")] {
        row(figure, "oslat's loop, 2 ms at a time", ours, Start::Pinned, NEAR, "", &|| {
            site.reference(&[argument])
        });
    }

    let spawn = |labels| ours("spawn", "tierprobe_spawn_seconds", labels);
    let larger = "lat_proc forks one process over and over, which is smaller than the agent's helper; \"as the helper\" it \
                  forks four times after four of vfork, has 15 pages more and a mark from the child";
    let fork = spawn(&[("method", "fork")]);
    row("fork", "lat_proc fork", fork, Start::Pinned, NEAR, larger, &|| site.reference(&["proc_fork"]));
    row("fork", "lat_proc fork, as the helper", fork, Start::Pinned, NEAR, "", &|| {
        site.reference(&["proc_fork_few"])
    });
    let vfork = spawn(&[("method", "vfork")]);
    row("vfork", "lat_proc's loop", vfork, Start::Pinned, NEAR, larger, &|| site.reference(&["proc_vfork"]));
    row("vfork", "lat_proc's loop, as the helper", vfork, Start::Pinned, NEAR, "", &|| {
        site.reference(&["proc_vfork_few"])
    });
    let start = spawn(&[("method", "spawn")]);
    row("start of a program", "lat_proc exec", start, Start::Pinned, NEAR, "", &|| {
        site.reference(&["proc_exec", &agent])
    });

    let round_trip = |labels| few("network", "tierprobe_network_round_trip_seconds", labels);
    let udp =
        round_trip(&[("protocol", "udp"), ("path", "loopback"), ("placement", "same_cpu"), ("size", "64")]);
    let ends = "sockperf, lat_udp and lat_tcp have two processes, the agent two threads, as \"with threads\"; \
                sockperf's UDP names with each message whom it is for, as \"a loop of sockperf's calls\" does";
    let warm = "lmbench has the CPU on end; \"in the agent's rhythm\" there are a few messages or connections after a pause";
    row("UDP loopback", "sockperf --full-rtt", udp, Start::Pinned, CLOSE, ends, &|| {
        tools::sockperf(place, false)
    });
    row("UDP loopback", "a loop of sockperf's calls", udp, Start::Pinned, CLOSE, "", &|| {
        site.reference(&["udp_addressed"])
    });
    row("UDP loopback", "lat_udp", udp, Start::Pinned, CLOSE, ends, &|| site.reference(&["udp"]));
    row("UDP loopback", "lat_udp with threads", udp, Start::Pinned, CLOSE, warm, &|| {
        site.reference(&["udp_threads"])
    });
    row("UDP loopback", UDP_FEW, in_rhythm(udp), Start::Pinned, CLOSE, "", &|| site.reference(&["udp_few"]));
    let tcp =
        round_trip(&[("protocol", "tcp"), ("path", "loopback"), ("placement", "same_cpu"), ("size", "64")]);
    row("TCP loopback", "sockperf --full-rtt --tcp", tcp, Start::Pinned, CLOSE, ends, &|| {
        tools::sockperf(place, true)
    });
    row("TCP loopback", "lat_tcp", tcp, Start::Pinned, CLOSE, ends, &|| site.reference(&["tcp"]));
    row("TCP loopback", "lat_tcp with threads", tcp, Start::Pinned, CLOSE, warm, &|| {
        site.reference(&["tcp_threads"])
    });
    row("TCP loopback", TCP_FEW, in_rhythm(tcp), Start::Pinned, CLOSE, "", &|| site.reference(&["tcp_few"]));
    for (figure, protocol, reference) in
        [("UDP across CPUs", "udp", "lat_udp"), ("TCP across CPUs", "tcp", "lat_tcp")]
    {
        let labels =
            [("protocol", protocol), ("path", "loopback"), ("placement", "cross_cpu"), ("size", "64")];
        let ours = few("network", "tierprobe_network_round_trip_seconds", &labels);
        row(figure, reference, ours, Start::OnBoth, CLOSE, on_end, &|| site.reference(&[protocol, &other]));
        let ours = in_rhythm(ours);
        let reference = if protocol == "udp" { UDP_FEW } else { TCP_FEW };
        let few = format!("{protocol}_across_few");
        row(figure, reference, ours, Start::OnBoth, CLOSE, "", &|| site.reference(&[&few, &other]));
    }
    let labels = [("path", "loopback"), ("placement", "same_cpu")];
    let connect = few("network", "tierprobe_network_connect_seconds", &labels);
    row("TCP connect", "lat_connect, accepted later", connect, Start::Pinned, CLOSE, warm, &|| {
        site.reference(&["connect"])
    });
    let connect = in_rhythm(connect);
    row("TCP connect", "lat_connect in the agent's rhythm", connect, Start::Pinned, CLOSE, "", &|| {
        site.reference(&["connect_few"])
    });

    let rare = "both pause after four writes, or six reads; fio's first after a pause is in its median, the agent's not";
    let directory = site.directory.to_string_lossy().into_owned();
    for (figure, operation, argument, fio) in [
        (
            "overwrite and fdatasync",
            "overwrite_sync",
            "storage_overwrite",
            Some(("fio --fdatasync=1 --overwrite=1", Fio::Overwrite)),
        ),
        (
            "append and fdatasync",
            "append_sync",
            "storage_append",
            Some(("fio --fdatasync=1 --fallocate=none", Fio::Append)),
        ),
        ("direct read", "read_direct", "storage_read_direct", Some(("fio --direct=1", Fio::ReadDirect))),
        // Of these the loop alone.
        ("fdatasync alone", "clean_sync", "storage_clean", None),
        ("buffered read", "read_buffered", "storage_read_buffered", None),
    ] {
        let labels = [("operation", operation)];
        let ours = ours("storage", "tierprobe_storage_seconds", &labels);
        if let Some((reference, what)) = fio {
            let ours = Ours { turns: 1, ..ours };
            row(figure, reference, ours, Start::Pinned, NEAR, rare, &|| {
                tools::fio(place, site.directory, &what)
            });
        }
        let ours = in_rhythm(Ours { rounds: 9, ..ours });
        row(figure, "fio's loop in the agent's rhythm", ours, Start::Pinned, NEAR, "", &|| {
            site.reference(&[argument, &directory])
        });
    }

    type Both<'a> = &'a dyn Fn() -> anyhow::Result<(f64, f64)>;
    let mut together = |figure, reference, ours: Ours<'_>, differs, both: Both<'_>| {
        let theirs = Theirs::Together(both);
        take(&Row { figure, reference, ours, start: Start::Pinned, goal: NEAR, differs, theirs });
    };
    let anonymous = Ours {
        probe: "memory",
        family: "tierprobe_memory_footprint_bytes",
        labels: &[("part", "anonymous")],
        figure: Figure::GaugeMedian,
        rounds: 3,
        pause: "10ms",
        turns: 1,
    };
    let held = "beside 256 MiB that the bench holds; the sum leaves out what ended while it was added up, the agent's \
                figure has the agent itself in it";
    together("anonymous memory", "smem: Pss_Anon of all", anonymous, held, &|| {
        load::anonymous(place, site.agent, &anonymous)
    });
    let hog = site.reference.with_file_name("hog");
    let account = "the kernel's account of the same rounds is what the thread waited for its CPU; interrupts and the \
                   hypervisor are lost beside";
    together("lost time beside a program", "schedstat", lost, account, &|| {
        load::lost(place, site.agent, &hog, &lost)
    });
    let boot = Boot::default();
    let once = "one boot of a Debian in emulation, which both are asked about: nothing varies, and the times are not \
                those of real hardware";
    for (figure, phase) in
        [("boot, kernel", "kernel"), ("boot, user space", "userspace"), ("boot, in all", "total")]
    {
        let ours = ours("boot", "tierprobe_boot_duration_seconds", &[]);
        together(figure, "systemd-analyze time", ours, once, &|| boot.phase(site.agent, phase));
    }
}
