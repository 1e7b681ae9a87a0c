#!/bin/sh
# Reads the vectors of docs/vectors with a reader that shares no code with ours; pytest's arguments.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
name=formats
. "$here/../python.sh"
cd "$here"
pytest "$@"
