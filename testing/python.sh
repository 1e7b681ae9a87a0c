# Sourced by the suites in Python, with `here` and `name` set: makes target/NAME-venv anew whenever requirements.txt
# changed, and runs pytest in it. Nothing is written beside the sources.
root=$(cd "$here/../.." && pwd)
venv=$root/target/$name-venv
wanted=$(cksum <"$here/requirements.txt")

if [ "$(cat "$venv/made-from" 2>/dev/null || true)" != "$wanted" ]; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --requirement "$here/requirements.txt"
    echo "$wanted" >"$venv/made-from"
fi
export PYTHONDONTWRITEBYTECODE=1
pytest() { "$venv/bin/python" -m pytest -o cache_dir="$root/target/$name-cache" "$@"; }
