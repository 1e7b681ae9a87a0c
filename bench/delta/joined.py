"""One firmware of 1.5 MB before and after a release, made of real ones. `run.sh joined OLD NEW` writes both."""

import sys
from pathlib import Path

from images import fetched

HERE = Path(__file__).parent
# Every part moves as those before it grow; the last one is of the old release in both.
CHANGED = [
    "movehub-7.28",
    "cityhub-7.28",
    "technichub-7.28",
    "essentialhub-7.28",
    "primehub-7.28",
    "greatfet-2025.0",
    "moondancer-0.2.4",
]
UNCHANGED = "primehub-7.27"


def main() -> None:
    build, old, new = (Path(argument) for argument in sys.argv[1:])
    found = fetched(HERE / "pairs.txt", build / "delta", [*CHANGED, UNCHANGED])
    pairs = {pair.name: pair for pair in found}
    kept = pairs[UNCHANGED].old.read_bytes()
    old.write_bytes(b"".join(pairs[name].old.read_bytes() for name in CHANGED) + kept)
    new.write_bytes(b"".join(pairs[name].new.read_bytes() for name in CHANGED) + kept)


if __name__ == "__main__":
    main()
