#!/bin/sh
# Runs the conformance suite, with pytest's arguments, against the binary in target/debug or OTARU_BINARY.
# Its Python environment is target/conformance-venv, made anew whenever requirements.txt changed.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
venv=$root/target/conformance-venv
wanted=$(cksum <"$here/requirements.txt")

if [ "$(cat "$venv/made-from" 2>/dev/null || true)" != "$wanted" ]; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --requirement "$here/requirements.txt"
    echo "$wanted" >"$venv/made-from"
fi
export OTARU_BINARY="${OTARU_BINARY:-$root/target/debug/otaru}"
export PYTHONDONTWRITEBYTECODE=1
cd "$here"
# Nothing is written beside the sources.
pytest() { "$venv/bin/python" -m pytest -o cache_dir="$root/target/conformance-cache" "$@"; }

if pytest "$@"; then
    exit
fi
[ -n "${CI:-}" ] || exit 1
# Where nobody watches, what failed is asked once more, and named: other people's clients have races of their own.
echo "conformance: once more, what failed above"
pytest --last-failed --last-failed-no-failures none "$@"
