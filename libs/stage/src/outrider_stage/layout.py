"""Where a job finds its files: plain directories beneath one working directory, named after the declarations."""

from dataclasses import dataclass
from pathlib import Path

from outrider_contracts.environments import InputVersion


@dataclass(frozen=True)
class Layout:
    """`inputs/<name>/`, or `inputs/<name>/m<map_index>/` per part of a mapped producer; `outputs/<name>/`.

    An instance's own part lies in `inputs/<name>/` itself.
    """

    root: Path

    def input(self, name: str) -> Path:
        """The directory of one input."""
        return self.root / "inputs" / name

    def part(self, name: str, version: InputVersion) -> Path:
        """The directory of one part: the input's own where the producer is not mapped."""
        index = version.version.map_index
        return self.input(name) if index < 0 or version.own_part else self.input(name) / f"m{index}"

    def output(self, name: str) -> Path:
        """The directory of one output."""
        return self.root / "outputs" / name
