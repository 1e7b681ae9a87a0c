#!/bin/sh
# Reads the vectors of docs/vectors with a reader that shares no code with ours; pytest's arguments.
# Its Python environment is target/formats-venv, made anew whenever requirements.txt changed.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
venv=$root/target/formats-venv
wanted=$(cksum <"$here/requirements.txt")

if [ "$(cat "$venv/made-from" 2>/dev/null || true)" != "$wanted" ]; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --requirement "$here/requirements.txt"
    echo "$wanted" >"$venv/made-from"
fi
export PYTHONDONTWRITEBYTECODE=1
cd "$here"
exec "$venv/bin/python" -m pytest -o cache_dir="$root/target/formats-cache" "$@"
