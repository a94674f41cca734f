#!/usr/bin/env bash
# Install the Debian packages that building and testing need; say which when we may not.
#   build    a C compiler and static glibc for the shim, libseccomp for the extension
#   engine   nftables' library, ps
#   tests    a static busybox for images, runc (an oracle, too) and crun, the docker CLI and dockerd,
#            iproute2, bsdtar, rsyslogd and journald as receivers of logs,
#            another kernel as a program, file systems with quotas, a registry with passwords
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive

packages=(
  build-essential pkg-config libseccomp-dev python3-venv
  libnftables1 procps
  busybox-static runc crun iproute2 nftables curl netcat-openbsd golang-github-containers-common
  libarchive-tools bzip2 xz-utils zstd rsyslog systemd
  user-mode-linux kmod xfsprogs e2fsprogs docker-registry apache2-utils openssl
)
# The CLI, and a dockerd as peer; whoever has both may have them of anyone.
for program in docker dockerd; do
  command -v "$program" >/dev/null || packages+=(docker.io)
done

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "These Debian packages are missing; install them and try again:" >&2
  echo "  sudo apt-get install -y ${missing[*]}" >&2
  exit 1
fi
apt-get update -qq
apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
