"""A line for each assertion of the checklist, at the end of the run."""

import re
from collections import Counter, defaultdict
from pathlib import Path

ASSERTIONS = range(1, 73)

_NAME = re.compile(r"\btest_(\d\d)_\w+")


def number_of(name: str) -> int | None:
    """The assertion that a test's name carries."""
    found = _NAME.search(name)
    return int(found.group(1)) if found else None


def numbers_in(folder: Path) -> list[int]:
    """The assertions that have a test in the folder's files, as often as they have one."""
    text = "\n".join(path.read_text() for path in sorted(folder.glob("test_*.py")))
    return [int(number) for number in re.findall(r"^def test_(\d\d)_", text, re.MULTILINE)]


class Tally:
    """Counts outcomes by assertion."""

    def __init__(self) -> None:
        self._outcomes: dict[int, Counter[str]] = defaultdict(Counter)
        self._names: dict[int, str] = {}

    def add(self, name: str, outcome: str) -> None:
        number = number_of(name)
        if number is not None:
            self._outcomes[number][outcome] += 1
            self._names[number] = name.rpartition("::")[2].partition("[")[0][len("test_00_") :]

    def lines(self) -> list[str]:
        lines = []
        for number, outcomes in sorted(self._outcomes.items()):
            counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
            lines.append(f"assertion {number:2} {counts:>12}  {self._names[number].replace('_', ' ')}")
        held = sum(set(outcomes) == {"passed"} for outcomes in self._outcomes.values())
        if lines:
            lines.append(f"assertions: {held} of {len(lines)} hold, {len(ASSERTIONS)} in the checklist")
        return lines
