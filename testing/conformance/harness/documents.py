"""Comparing metadata with the state it belongs to."""

from collections.abc import Iterator
from typing import Any

Json = Any


def same_shape(metadata: Json, state: Json) -> bool:
    """Whether there is exactly one stamp for each leaf of the state."""
    if isinstance(state, dict):
        return (
            isinstance(metadata, dict)
            and metadata.keys() == state.keys()
            and all(same_shape(metadata[key], value) for key, value in state.items())
        )
    if isinstance(state, list):
        return (
            isinstance(metadata, list)
            and len(metadata) == len(state)
            and all(same_shape(stamp, value) for stamp, value in zip(metadata, state, strict=True))
        )
    return (
        isinstance(metadata, dict) and set(metadata) == {"timestamp"} and type(metadata["timestamp"]) is int
    )


def leaves(metadata: Json) -> Iterator[Json]:
    """Everything in it that is no object and no array."""
    if isinstance(metadata, dict):
        metadata = list(metadata.values())
    if not isinstance(metadata, list):
        yield metadata
        return
    for value in metadata:
        yield from leaves(value)
