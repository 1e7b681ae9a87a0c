#!/bin/sh
# Prints the Python in which moto is installed; installs it first if need be, one process at a time.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
name=s3
mkdir -p "$here/../../target"
exec 9>"$here/../../target/$name-venv.lock"
flock 9
. "$here/../python.sh" >&2
echo "$venv/bin/python"
