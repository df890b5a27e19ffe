"""Log files of a component: their last lines, and what is written to them from then on."""

import time
from collections.abc import Sequence
from pathlib import Path

from outrider_local.layout import Layout

_LOOK_SECONDS = 0.3


def log_files(layout: Layout, component: str) -> list[Path]:
    """The log of each of its processes."""
    directory = layout.log(component).parent
    return sorted(file for file in directory.glob(f"{component}*.log") if _is_of(file.stem, component))


def show(files: Sequence[Path], *, lines: int, follow: bool) -> None:
    """Print the last *lines* of each; with *follow* go on until the reader stops it."""
    ends = {file: _tail(file, lines, named=len(files) > 1) for file in files}
    try:
        while follow:
            time.sleep(_LOOK_SECONDS)
            ends = {file: _more(file, end) for file, end in ends.items()}
    except KeyboardInterrupt:
        return


def _is_of(process: str, component: str) -> bool:
    return process == component or process.startswith(f"{component}-")


def _tail(file: Path, lines: int, *, named: bool) -> int:
    text = file.read_bytes()
    if named:
        print(f"==> {file.stem} <==")
    print("\n".join(text.decode(errors="replace").splitlines()[-lines:]))
    return len(text)


def _more(file: Path, end: int) -> int:
    with file.open("rb") as log:
        log.seek(end)
        text = log.read()
    if text:
        print(text.decode(errors="replace"), end="", flush=True)
    return end + len(text)
