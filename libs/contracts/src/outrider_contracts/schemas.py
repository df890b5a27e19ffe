"""What other systems read of the contracts, generated: `python -m outrider_contracts.schemas [--check]`.

JSON Schemas of all facts in `libs/contracts/schemas`, and the AsyncAPI document of all topics, `asyncapi.json` beside
them. `--release` freezes the schemas in `schemas/released`; from then on a type only gains optional fields.
"""

import json
import sys
from pathlib import Path

from outrider_contracts import asyncapi
from outrider_contracts.compatibility import breaks
from outrider_contracts.events import event_types

FOLDER = Path(__file__).parents[2] / "schemas"
RELEASED = FOLDER / "released"
ASYNCAPI = FOLDER.parent / "asyncapi.json"


def render() -> dict[str, str]:
    """File name -> schema text of every event type, as written (closed: no unknown fields)."""
    rendered = {}
    for name, kind in sorted(event_types().items()):
        schema = kind.model_json_schema(mode="serialization", by_alias=True)
        rendered[f"{name}.json"] = json.dumps({"$id": name, **schema}, indent=2, sort_keys=True) + "\n"
    return rendered


def render_asyncapi() -> str:
    """Text of the AsyncAPI document, in the order of the registries."""
    return json.dumps(asyncapi.document(), indent=2) + "\n"


def differences() -> list[str]:
    """Names of generated files whose committed text is absent, stale or orphaned."""
    wanted, committed = render(), _texts(FOLDER)
    wanted[ASYNCAPI.name] = render_asyncapi()
    if ASYNCAPI.exists():
        committed[ASYNCAPI.name] = ASYNCAPI.read_text()
    return sorted(name for name in wanted.keys() | committed.keys() if wanted.get(name) != committed.get(name))


def incompatibilities() -> list[str]:
    """What of the present schemas breaks with the released ones, in words."""
    present, found = render(), []
    for name, text in sorted(_texts(RELEASED).items()):
        if name not in present:
            found.append(f"{name}: the type is gone; readers of old records still need it")
        else:
            found += [f"{name}: {fault}" for fault in breaks(json.loads(text), json.loads(present[name]))]
    return found


def main(arguments: list[str]) -> int:
    """Write what is generated, or with `--check` say what differs; exit status 1 if any does or breaks a release."""
    broken = incompatibilities()
    for fault in broken:
        print(f"{fault}; a breaking change is a new type (.v2)", file=sys.stderr)
    if "--check" in arguments:
        stale = differences()
        for name in stale:
            print(f"{name}: the committed text differs; run `python -m outrider_contracts.schemas`", file=sys.stderr)
        return 1 if stale or broken else 0
    _write(FOLDER, render())
    ASYNCAPI.write_text(render_asyncapi())
    if "--release" in arguments and not broken:
        _write(RELEASED, render())
    return 1 if broken else 0


def _texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.glob("*.json")}


def _write(folder: Path, texts: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in _texts(folder).keys() - texts.keys():
        (folder / name).unlink()
    for name, text in texts.items():
        (folder / name).write_text(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
