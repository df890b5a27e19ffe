"""Team documents as people write them: YAML, read with the line and the path of every mistake."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from outrider_contracts.tenants import TeamDocument
from pydantic import ValidationError


class BadDocuments(Exception):
    """What is written can't be meant; one line per mistake."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)


@dataclass(frozen=True)
class Written:
    """A team's document, and where it stands."""

    source: str
    document: TeamDocument


def read_documents(path: Path) -> list[Written]:
    """All documents of a file, or of a directory's .yaml and .yml files. Raises BadDocuments naming all mistakes."""
    if not path.exists():
        raise BadDocuments([f"{path}: no such file or directory"])
    files = sorted(f for f in path.iterdir() if f.suffix in (".yaml", ".yml")) if path.is_dir() else [path]
    if not files:
        raise BadDocuments([f"{path}: no .yaml or .yml file in it"])
    found: list[Written] = []
    mistakes: list[str] = []
    for file in files:
        for one in _read(file):
            if isinstance(one, str):
                mistakes.append(one)
            else:
                found.append(one)
    for written in found:
        name = written.document.metadata.name
        if (first := next(w for w in found if w.document.metadata.name == name)) is not written:
            mistakes.append(f"{written.source}: team {name!r} stands in {first.source} already")
    if not found and not mistakes:
        mistakes.append(f"{path}: holds no team document")
    if mistakes:
        raise BadDocuments(mistakes)
    return found


def _read(file: Path) -> Iterator[Written | str]:
    try:
        nodes = list(yaml.compose_all(file.read_text(), Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        yield f"{file}:{line}: no YAML: {error.problem}"
        return
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        yield f"{file}: {error}"
        return
    for node in nodes:
        if node is None or node.tag == "tag:yaml.org,2002:null":  # what stands after a last `---`
            continue
        if repeated := _repeated(node):
            yield f"{file}:{repeated.start_mark.line + 1}: {repeated.value!r} is written twice"
            continue
        loader = yaml.SafeLoader("")
        try:
            value = loader.construct_document(node)
            yield Written(f"{file}:{node.start_mark.line + 1}", TeamDocument.model_validate(value))
        except yaml.MarkedYAMLError as error:
            yield f"{file}:{node.start_mark.line + 1}: no YAML: {error.problem}"
        except ValidationError as error:
            for fault in error.errors():
                path = ".".join(str(part) for part in fault["loc"])
                yield f"{file}:{_line(node, fault['loc'])}: {path or 'document'}: {_plain(fault['type'], fault['msg'])}"
        finally:
            loader.dispose()


def _plain(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "no such field; see the documentation of team documents for those there are"
    return message.removeprefix("Value error, ")


def _line(node: yaml.Node, location: Sequence[int | str]) -> int:
    """Line of the deepest part of *location* that is written down; the parent's where something is missing."""
    line = node.start_mark.line
    for part in location:
        below: yaml.Node | None = None
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == part:
                    line, below = key.start_mark.line, value
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            below = node.value[part]
            line = below.start_mark.line
        if below is None:
            break
        node = below
    return line + 1


def _repeated(node: yaml.Node) -> yaml.ScalarNode | None:
    """A key that a mapping has twice: YAML would take the last one silently."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    return key
                seen.add(key.value)
            if found := _repeated(value):
                return found
    elif isinstance(node, yaml.SequenceNode):
        return next(filter(None, map(_repeated, node.value)), None)
    return None
