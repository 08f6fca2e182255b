"""What a check found wrong."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One broken promise of a file, at one place."""

    rule: str
    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.rule}: {self.message}"


class Broken(Exception):
    """A check that could not be made at all, with what stood in its way."""
