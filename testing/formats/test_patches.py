"""Every file of docs/vectors/patches, applied by other code than what made it."""

from pathlib import Path

import pytest

from patch_reader import BadPatch, applied, applied_for_esp

VECTORS = Path(__file__).parents[2] / "docs" / "vectors" / "patches"
BASE, TARGET = ((VECTORS / name).read_bytes() for name in ["base.bin", "target.bin"])


@pytest.mark.parametrize("file", ["patch-4k.patch", "patch-8k.patch", "full-4k.patch"])
def test_a_patch_makes_its_target(file: str) -> None:
    assert applied((VECTORS / file).read_bytes(), BASE) == TARGET


@pytest.mark.parametrize("file", ["refused-damaged.patch", "refused-cut.patch"])
def test_a_damaged_patch_makes_nothing(file: str) -> None:
    with pytest.raises(BadPatch):
        applied((VECTORS / file).read_bytes(), BASE)


def test_a_patch_belongs_to_one_base() -> None:
    with pytest.raises(BadPatch):
        applied((VECTORS / "patch-4k.patch").read_bytes(), BASE[:-1])


def test_a_packed_image_needs_no_base() -> None:
    assert applied((VECTORS / "full-4k.patch").read_bytes(), b"") == TARGET


def test_a_patch_for_esp_delta_ota_makes_the_same_target() -> None:
    assert applied_for_esp((VECTORS / "esp-delta-ota.patch").read_bytes(), BASE) == TARGET
