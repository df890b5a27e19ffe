"""JSON Schemas of all facts, kept in `libs/contracts/schemas`: `python -m outrider_contracts.schemas [--check]`"""

import json
import sys
from pathlib import Path

from outrider_contracts.events import event_types

FOLDER = Path(__file__).parents[2] / "schemas"


def render() -> dict[str, str]:
    """File name -> schema text of every event type, as written (closed: no unknown fields)."""
    rendered = {}
    for name, kind in sorted(event_types().items()):
        schema = kind.model_json_schema(mode="serialization", by_alias=True)
        rendered[f"{name}.json"] = json.dumps({"$id": name, **schema}, indent=2, sort_keys=True) + "\n"
    return rendered


def differences() -> list[str]:
    """Names of schemas whose committed text is absent, stale or orphaned."""
    wanted = render()
    committed = {path.name: path.read_text() for path in FOLDER.glob("*.json")}
    return sorted(name for name in wanted.keys() | committed.keys() if wanted.get(name) != committed.get(name))


def main(arguments: list[str]) -> int:
    """Write the schemas, or with `--check` only say which differ; exit status 1 if any does."""
    if "--check" in arguments:
        stale = differences()
        for name in stale:
            print(f"{name}: committed schema differs; run `python -m outrider_contracts.schemas`", file=sys.stderr)
        return 1 if stale else 0
    FOLDER.mkdir(exist_ok=True)
    wanted = render()
    for path in FOLDER.glob("*.json"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (FOLDER / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
