#!/usr/bin/env bash
# Builds out/debian-guest/root.ext4, the disk of a guest that is a whole Debian: systemd, udev, D-Bus, logind, cron, sshd,
# rsyslog, and the modules of the guest kernel. Needs root, mmdebstrap and mke2fs, and a mirror (half a minute). What is
# there already is kept, unless this file or the kernel has changed.
#
#   tests/debian.sh
set -euo pipefail
cd "$(dirname "$0")/.."

suite=bookworm
packages=systemd-sysv,libnss-systemd,udev,kmod,dbus,libpam-systemd,cron,openssh-server,rsyslog,iproute2,procps
out=out/debian-guest

image=$(find out/guest-kernel/boot /boot -name 'vmlinuz-*cloud*' 2>/dev/null | sort | tail -n 1 || true)
[ -n "$image" ] || { echo "tests/debian.sh: no guest kernel; tests/tools.sh test unpacks one" >&2; exit 1; }
release=${image##*/vmlinuz-}
modules=${image%/boot/*}/lib/modules/$release
stamp=$(cat "$0" - <<<"$release" | sha256sum)
if [ -e "$out/root.ext4" ] && [ "$(cat "$out/stamp" 2>/dev/null)" = "$stamp" ]; then
    exit 0
fi

mkdir -p "$out"
# dpkg makes every file durable: in memory that takes twenty seconds, on a busy disk minutes.
scratch=$PWD/$out
free=$(df --output=avail -k /dev/shm 2>/dev/null | tail -n 1 || true)
[ "${free:-0}" -lt 1500000 ] || scratch=/dev/shm
root=$(mktemp -d "$scratch/tierprobe-debian.XXXXXX")
trap 'rm -rf "$root"' EXIT
# Documentation and translations are half of a small Debian, and no process of its.
mmdebstrap --quiet --variant=minbase --include="$packages" --format=directory \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' "$suite" "$root"

mkdir -p "$root/lib/modules"
cp -a "$modules" "$root/lib/modules/"
chroot "$root" depmod "$release"
echo guest >"$root/etc/hostname"
echo '127.0.0.1 localhost guest' >"$root/etc/hosts"
# Without one, each boot would be the first.
tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
rm -f "$root/etc/resolv.conf"

rm -f "$out/root.ext4" "$out/stamp"
mke2fs -q -t ext4 -d "$root" "$out/root.ext4" 700M
echo "$stamp" >"$out/stamp"
