#!/bin/sh
# Runs the conformance suite, with pytest's arguments, against the binary in target/debug or OTARU_BINARY.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
name=conformance
. "$here/../python.sh"
export OTARU_BINARY="${OTARU_BINARY:-$root/target/debug/otaru}"
cd "$here"

if pytest "$@"; then
    exit
fi
[ -n "${CI:-}" ] || exit 1
# Where nobody watches, what failed is asked once more, and named: other people's clients have races of their own.
echo "conformance: once more, what failed above"
pytest --last-failed --last-failed-no-failures none "$@"
