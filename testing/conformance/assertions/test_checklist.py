"""The checklist itself."""

from pathlib import Path

from harness.summary import ASSERTIONS, numbers_in


def test_every_assertion_has_a_test() -> None:
    assert sorted(set(numbers_in(Path(__file__).parent))) == list(ASSERTIONS)
