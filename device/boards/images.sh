#!/bin/bash
# Makes images of what `make esp32` linked, and has esptool read them: FOLDER/esp32c6.bin and so on.
#   images.sh CHIP TARGET
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
name=esptool
# shellcheck source=testing/python.sh
. "$here/../../testing/python.sh"

chip=$1
built=${CARGO_TARGET_DIR:-$here/target}/$2/release
for program in esp32 examples/lamp; do
    image=$built/$program.$chip.bin
    # The digest of the linked program goes where ESP-IDF has it, so that a crash can be looked up.
    "$venv/bin/esptool" --chip "$chip" elf2image --flash-mode dio --flash-freq 80m --flash-size 4MB \
        --elf-sha256-offset 0xb0 --output "$image" "$built/$program" >"$image.log" ||
        { cat "$image.log"; exit 1; }
    "$venv/bin/esptool" --chip "$chip" image-info "$image" >"$image.log" || { cat "$image.log"; exit 1; }
    for valid in '^Checksum: .*(valid)' '^Validation hash: .*(valid)'; do
        grep --quiet "$valid" "$image.log" || { cat "$image.log"; exit 1; }
    done
    echo "$chip: $program, $(stat --format=%s "$image") bytes, checksum and hash valid"
done
