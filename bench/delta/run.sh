#!/bin/sh
# Patches beside other makers': fetches the images and the peers into target/, then runs bench.py, or the
# script that is named.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
venv=$root/target/delta-venv
wanted=$(cksum <"$here/requirements.txt")

if [ "$(cat "$venv/made-from" 2>/dev/null || true)" != "$wanted" ]; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --no-deps --requirement "$here/requirements.txt"
    echo "$wanted" >"$venv/made-from"
fi
export PYTHONDONTWRITEBYTECODE=1
script=${1:-bench}
[ $# -eq 0 ] || shift
mkdir -p "$root/target/delta"
exec "$venv/bin/python" "$here/$script.py" "$root/target" "$@"
