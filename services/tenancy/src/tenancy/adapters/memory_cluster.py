"""A harmless cluster: server-side apply over dictionaries, lists taken whole. Nothing runs and nobody is refused."""

import base64
import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from outrider_bus.ports import UnavailableError

from tenancy.domain.manifests import Manifest, Ref
from tenancy.ports import FieldsHeld

Path = tuple[str, ...]


@dataclass
class _Kept:
    """One object: its values by path, and which paths each manager has set."""

    uid: str
    values: dict[Path, object] = field(default_factory=dict)
    set_by: dict[str, frozenset[Path]] = field(default_factory=dict)

    def copy(self) -> "_Kept":
        return _Kept(self.uid, dict(self.values), dict(self.set_by))


@dataclass
class MemoryCluster:
    """The cluster as *manager* sees it; two of them over the same *kept* are two clients of one cluster."""

    manager: str = "outrider-tenancy"
    kept: dict[Ref, _Kept] = field(default_factory=dict)

    async def find(self, ref: Ref) -> Manifest | None:
        kept = self.kept.get(ref)
        return None if kept is None else _rendered(ref, kept)

    async def apply(self, manifest: Manifest, *, dry: bool = False, force: bool = False) -> Manifest:
        ref = Ref.of(manifest)
        if ref.namespace and Ref("v1", "Namespace", "", ref.namespace) not in self.kept:
            raise UnavailableError(f"there is no namespace {ref.namespace}")
        after = self.kept[ref].copy() if ref in self.kept else _Kept(uuid.uuid4().hex)
        wanted = dict(_leaves((), manifest))
        self._take(after, wanted, force=force)
        for path in after.set_by.get(self.manager, frozenset()) - wanted.keys():
            if not self._others(after, path):
                after.values.pop(path, None)
        after.values |= wanted
        after.set_by[self.manager] = frozenset(wanted)
        if not dry:
            self.kept[ref] = after
        return _rendered(ref, after)

    async def remove(self, ref: Ref) -> None:
        self.kept.pop(ref, None)

    async def token(self, namespace: str, account: str, seconds: int) -> str:
        kept = self.kept.get(Ref("v1", "ServiceAccount", namespace, account))
        if kept is None:
            raise UnavailableError(f"there is no service account {account}")
        now = int(datetime.now(UTC).timestamp())
        claims = {
            "sub": f"system:serviceaccount:{namespace}:{account}", "iat": now, "exp": now + seconds,
            "jti": uuid.uuid4().hex, "kubernetes.io": {"serviceaccount": {"name": account, "uid": kept.uid}},
        }  # fmt: skip
        return f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.unsigned"

    def _take(self, kept: _Kept, wanted: Mapping[Path, object], *, force: bool) -> None:
        differing = [path for path, value in wanted.items() if path in kept.values and kept.values[path] != value]
        held = {path: self._others(kept, path) for path in differing}
        if not force and any(held.values()):
            raise FieldsHeld(
                ", ".join(f".{'.'.join(path)} is set by {' and '.join(by)}" for path, by in held.items() if by)
            )
        for path, by in held.items():
            for manager in by:
                kept.set_by[manager] -= {path}

    def _others(self, kept: _Kept, path: Path) -> list[str]:
        return [manager for manager, paths in kept.set_by.items() if manager != self.manager and path in paths]


def _leaves(path: Path, value: object) -> Iterator[tuple[Path, object]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if (*path, name) not in (("apiVersion",), ("kind",), ("metadata", "name"), ("metadata", "namespace")):
                yield from _leaves((*path, str(name)), inner)
    else:
        yield path, value


def _rendered(ref: Ref, kept: _Kept) -> Manifest:
    managed = [
        {"manager": manager, "operation": "Apply", "fieldsV1": _tree((tuple(f"f:{n}" for n in p), {}) for p in paths)}
        for manager, paths in kept.set_by.items()
    ]
    own = {"name": ref.name, "uid": kept.uid, "managedFields": managed}
    named = [(("apiVersion",), ref.api_version), (("kind",), ref.kind)]
    placed = {**own, "namespace": ref.namespace} if ref.namespace else own
    metadata = [(("metadata", name), value) for name, value in placed.items()]
    return _tree([*named, *metadata, *kept.values.items()])


def _tree(leaves: "Iterator[tuple[Path, object]] | list[tuple[Path, object]]") -> dict[str, object]:
    root: dict[str, object] = {}
    for path, value in leaves:
        at = root
        for name in path[:-1]:
            inner = at.setdefault(name, {})
            at = inner if isinstance(inner, dict) else at
        at[path[-1]] = value
    return root
