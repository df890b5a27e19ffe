"""Kubernetes objects as plain data: what names one, what differs between two, and who holds a field."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

Manifest = Mapping[str, object]
"""An object as it is written for `kubectl apply`, or as the API server answers."""

_SERVERS_OWN = frozenset({"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "status"})


@dataclass(frozen=True)
class Ref:
    """Names one object. `namespace` is empty for what lies in none."""

    api_version: str
    kind: str
    namespace: str
    name: str

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """The object that *manifest* describes."""
        metadata = part(manifest, "metadata")
        return cls(
            str(manifest["apiVersion"]), str(manifest["kind"]), str(metadata.get("namespace", "")),
            str(metadata["name"]),
        )  # fmt: skip

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass(frozen=True)
class Difference:
    """A field that has another value than the wanted one; "" where there is none."""

    path: tuple[str, ...]
    found: str
    wanted: str

    @property
    def spelt(self) -> str:
        """The path as Kubernetes writes it."""
        return "".join(f".{name}" for name in self.path)


def part(manifest: Manifest, name: str) -> Manifest:
    """The mapping under *name*, empty where there is none."""
    value = manifest.get(name)
    return value if isinstance(value, Mapping) else {}


def differences(found: Manifest, wanted: Manifest) -> tuple[Difference, ...]:
    """Fields of *found* that *wanted* has otherwise, both as the server answers them; its own fields don't count."""
    return tuple(_differences((), found, wanted))


def managers(found: Manifest, path: tuple[str, ...]) -> tuple[str, ...]:
    """Who set the field at *path* of *found*, or anything below it, by its `managedFields`."""
    entries = part(found, "metadata").get("managedFields")
    known = [entry for entry in entries if isinstance(entry, Mapping)] if isinstance(entries, list) else []
    return tuple(sorted({str(entry.get("manager")) for entry in known if _holds(part(entry, "fieldsV1"), path)}))


def _differences(path: tuple[str, ...], found: object, wanted: object) -> Iterator[Difference]:
    if isinstance(found, Mapping | None) and isinstance(wanted, Mapping | None):
        found, wanted = found or {}, wanted or {}
        for name in sorted({*found, *wanted} - _SERVERS_OWN):
            yield from _differences((*path, name), found.get(name), wanted.get(name))
    elif found != wanted:
        yield Difference(path, _spelt(found), _spelt(wanted))


def _holds(fields: Manifest, path: tuple[str, ...]) -> bool:
    for name in path:
        if not fields or f"f:{name}" not in fields:
            return False
        fields = part(fields, f"f:{name}")
    return True


def _spelt(value: object) -> str:
    return "" if value is None else str(value)
