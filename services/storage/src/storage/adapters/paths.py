"""The one check in front of every touch: a path is exactly one generation directory."""

from outrider_contracts.places import VersionPath, parse_generation_path

from storage.ports import UnsafePath


def guard(path: str) -> VersionPath:
    """Take *path* apart. Raises UnsafePath for anything that is no generation directory."""
    try:
        return parse_generation_path(path)
    except ValueError as error:
        raise UnsafePath(str(error)) from None
