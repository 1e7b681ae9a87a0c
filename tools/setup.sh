#!/bin/sh
# Installs the Debian packages that building (`build`), testing (`test`), testing the pages (`browser`),
# measuring (`bench`) or running firmware of boards (`boards`) needs, only those missing.
# Installs nothing when nothing is missing, and never touches Rust: that is rustup's.
set -eu

missing=

# need PACKAGE FILE... : the package is there when one of the files is (globs allowed).
need() {
    package=$1
    shift
    for file in "$@"; do
        [ -e "$file" ] && return
    done
    missing="$missing $package"
}

need build-essential /usr/bin/cc
if ! "$(dirname "$0")/npm.sh" --is-there; then
    # For tools/npm.sh, which brings its own Node.js.
    need python3-venv /usr/lib/python3*/ensurepip/__init__.py /usr/local/lib/python3*/ensurepip/__init__.py
fi
if [ "${1:-build}" = test ]; then
    need python3-venv /usr/lib/python3*/ensurepip/__init__.py /usr/local/lib/python3*/ensurepip/__init__.py
    # For detools, which comes as source.
    need python3-dev /usr/include/python3*/Python.h /usr/local/include/python3*/Python.h
    need postgresql /usr/lib/postgresql/*/bin/initdb
    need mosquitto-clients /usr/bin/mosquitto_pub /usr/local/bin/mosquitto_pub
    need iproute2 /usr/sbin/ip /sbin/ip /usr/bin/ip
    need curl /usr/bin/curl /usr/local/bin/curl
    need openssl /usr/bin/openssl /usr/local/bin/openssl
    need systemd /usr/bin/systemd-analyze
    need python3-aiosmtpd /usr/lib/python3/dist-packages/aiosmtpd
fi

if [ "${1:-build}" = bench ]; then
    need postgresql /usr/lib/postgresql/*/bin/initdb
    # Debian also starts it as a service, on port 1883 of this machine alone.
    need mosquitto /usr/sbin/mosquitto /usr/local/sbin/mosquitto
    # Debian also starts it as a service, on port 80.
    need nginx-light /usr/sbin/nginx /usr/local/sbin/nginx
    need valgrind /usr/bin/valgrind /usr/local/bin/valgrind
    need xdelta3 /usr/bin/xdelta3 /usr/local/bin/xdelta3
    need zstd /usr/bin/zstd /usr/local/bin/zstd
fi

if [ "${1:-build}" = browser ]; then
    # For the S3 server that images are dropped into.
    need python3-venv /usr/lib/python3*/ensurepip/__init__.py /usr/local/lib/python3*/ensurepip/__init__.py
    need chromium /usr/bin/chromium
    need fonts-noto-core /usr/share/fonts/truetype/noto/NotoSans-Regular.ttf
    need fonts-noto-cjk /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc
fi

if [ "${1:-build}" = boards ]; then
    # For esptool, which makes images of an ESP32.
    need python3-venv /usr/lib/python3*/ensurepip/__init__.py /usr/local/lib/python3*/ensurepip/__init__.py
    need qemu-system-misc /usr/bin/qemu-system-riscv32 /usr/local/bin/qemu-system-riscv32
fi

if ! command -v "${CARGO:-cargo}" >/dev/null && [ ! -x "$HOME/.cargo/bin/cargo" ]; then
    echo "Rust is missing: install it with rustup (https://rustup.rs), then run this again." >&2
    exit 1
fi

[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "missing, by their Debian names:$missing" >&2
    exit 1
fi
as_root=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "missing; as root run: apt-get install --yes$missing" >&2
        exit 1
    fi
    as_root=sudo
fi

echo "installing:$missing" >&2
# A fresh machine may be installing its own updates at this moment: wait for them.
$as_root apt-get -o DPkg::Lock::Timeout=300 update --quiet=2
# shellcheck disable=SC2086 # one word per package
$as_root env DEBIAN_FRONTEND=noninteractive apt-get \
    -o DPkg::Lock::Timeout=300 install --yes --quiet=2 --no-install-recommends $missing
