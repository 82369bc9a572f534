#!/usr/bin/env bash
# Gets the programs that a target needs and this machine lacks, as Debian packages.
#
#   tests/tools.sh demo|test|bench|accuracy
#
# As root they are installed. Without root, or without apt, it says what is missing and what needs it, and goes on:
# the lab and the tests do what they can and name the rest. The guest kernel is only unpacked into out/guest-kernel,
# never installed: nobody wants a demo to change what their machine boots.
set -euo pipefail
cd "$(dirname "$0")/.."

# program, package, what for
demo="
cc gcc building
runc runc the_tier_runc
bwrap bubblewrap the_tier_bwrap
qemu-system-x86_64 qemu-system-x86 the_tier_qemu
busybox busybox-static the_tier_qemu
"
test="$demo
dockerd docker.io the_tier_docker
containerd containerd the_tier_docker
prometheus prometheus scraping_and_rules
promtool prometheus scraping_and_rules
unshare util-linux a_full_disk
systemd-analyze systemd the_unit_file
virt-what virt-what comparing_detection
ip iproute2 network_namespaces
iptables iptables packet_filters
setpriv util-linux a_user_without_rights
taskset util-linux pinning
strace strace what_detection_opens
git git the_house_rules
mmdebstrap mmdebstrap a_guest_with_Debian
mke2fs e2fsprogs a_guest_with_Debian
lxcfs lxcfs the_memory_that_LXCFS_shows
chromium chromium the_page
"
bench="$demo
prometheus-node-exporter prometheus-node-exporter the_peer
perf linux-perf the_reference_for_system_calls
sockperf sockperf the_reference_for_round_trips
taskset util-linux pinning
"
accuracy="$bench
fio fio the_reference_for_storage
mmdebstrap mmdebstrap the_reference_for_boot
mke2fs e2fsprogs the_reference_for_boot
cyclictest rt-tests the_reference_for_wake_ups
oslat rt-tests the_reference_for_lost_time
chrt util-linux real-time_threads
"

case "${1:-}" in
    demo) wanted=$demo ;;
    test) wanted=$test ;;
    bench) wanted=$bench ;;
    accuracy) wanted=$accuracy ;;
    *) echo "usage: tests/tools.sh demo|test|bench|accuracy" >&2; exit 2 ;;
esac

has() {
    PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1
}

missing=()
while read -r program package purpose; do
    [ -n "$program" ] || continue
    has "$program" || missing+=("$package")
done <<<"$wanted"
# The static C library is no program; the compiler knows where it would be.
[ -e "$(cc -print-file-name=libc.a 2>/dev/null)" ] || missing+=(libc6-dev)
# Python without ensurepip makes no environments.
[ "$1" != test ] || python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)

if [ ${#missing[@]} -gt 0 ]; then
    mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
    if [ "$(id -u)" = 0 ] && has apt-get; then
        echo "==> installing ${missing[*]}"
        # Services must not start by themselves: the lab starts what it needs and ends it.
        policy=/usr/sbin/policy-rc.d
        made_policy=
        if [ ! -e "$policy" ]; then
            printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy" && made_policy=yes
        fi
        trap '[ -z "$made_policy" ] || rm -f "$policy"' EXIT
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null >/dev/null
    else
        while read -r program package purpose; do
            [ -n "$program" ] || continue
            has "$program" || echo "==> missing: $program, for ${purpose//_/ } (package $package)"
        done <<<"$wanted"
    fi
fi

# Programs that are only unpacked, too: gVisor is one static binary (Debian has it for some architectures),
# systemd-nspawn needs nothing but the libraries of a systemd that is there, which installing it could upgrade, and
# VictoriaMetrics comes with a service that nobody asked for.
unpack() {
    local program=$1 package=$2 purpose=$3
    if has "$program" || [ -e "out/$program/usr/bin/$program" ]; then
        return
    fi
    if has apt-get && has dpkg-deb && mkdir -p "out/$program/download" &&
        (cd "out/$program/download" && apt-get download -qq -o APT::Sandbox::User=root "$package" 2>/dev/null); then
        echo "==> unpacking $package into out/$program"
        dpkg-deb -x "out/$program"/download/*.deb "out/$program"
    else
        echo "==> missing: $program, for ${purpose//_/ } (package $package)"
    fi
    rm -rf "out/$program/download"
}
if [ "$1" = test ]; then
    unpack runsc runsc the_place_gVisor
    unpack systemd-nspawn systemd-container the_place_systemd-nspawn
    unpack victoria-metrics victoria-metrics reading_stores
fi

# Schemathesis asks the collector everything that its description allows, and more. From PyPI, into a place of its own.
schemathesis=4.32.5
if [ "$1" = test ] && [ ! -x out/schemathesis/bin/schemathesis ]; then
    if has python3 && python3 -m venv out/schemathesis 2>/dev/null &&
        out/schemathesis/bin/pip install --quiet --disable-pip-version-check "schemathesis==$schemathesis"; then
        echo "==> installed schemathesis into out/schemathesis"
    else
        rm -rf out/schemathesis
        echo "==> missing: schemathesis, for the collector's interface (python3-venv, and schemathesis of PyPI)"
    fi
fi

# The guest's kernel: Debian's, made for virtual machines.
if [ "$1" != bench ] && ! ls out/guest-kernel/boot/vmlinuz-* >/dev/null 2>&1 && ! ls /boot/vmlinuz-*cloud* >/dev/null 2>&1; then
    if has apt-get && has dpkg-deb && [ "$(uname -m)" = x86_64 ]; then
        [ -n "$(apt-cache policy linux-image-cloud-amd64 2>/dev/null)" ] || apt-get update -qq || true
        package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/.*Depends: \(linux-image-.*\)/\1/p' | head -n 1)
        if [ -n "$package" ]; then
            echo "==> unpacking $package into out/guest-kernel"
            mkdir -p out/guest-kernel/download
            # apt's own user may not write here; as root it would only complain.
            (cd out/guest-kernel/download && apt-get download -qq -o APT::Sandbox::User=root "$package")
            dpkg-deb -x out/guest-kernel/download/*.deb out/guest-kernel
            rm -r out/guest-kernel/download
        fi
    fi
    ls out/guest-kernel/boot/vmlinuz-* >/dev/null 2>&1 || echo "==> missing: a guest kernel, for the tier qemu (package linux-image-cloud-amd64)"
fi

# The disk of a guest that is a whole Debian.
if [ "$1" = test ] || [ "$1" = accuracy ]; then
    if [ "$(id -u)" = 0 ] && has mmdebstrap && has mke2fs && ls out/guest-kernel/boot/vmlinuz-* >/dev/null 2>&1; then
        [ -e out/debian-guest/stamp ] || echo "==> building a Debian for a guest into out/debian-guest, half a minute"
        tests/debian.sh || echo "==> missing: a Debian for a guest, for $([ "$1" = test ] && echo its tests || echo the reference for boot)"
    fi
fi
