"""Lineage as trees for people to read. Pure: from the service's answers to rich's trees."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.markup import escape
from rich.tree import Tree

_COLOURS = {
    "success": "green", "sealed": "green", "failed": "red", "lost": "red", "up_for_retry": "yellow",
    "running": "yellow", "upstream_failed": "red",
}  # fmt: skip
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def graph_tree(answer: Mapping[str, Any]) -> Tree:
    """What is up- or downstream of the root; a node met again is named once more and not unfolded."""
    nodes = {node["id"]: node for node in answer["nodes"]}
    near, far = ("target", "source") if answer["direction"] == "upstream" else ("source", "target")
    beyond: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for edge in answer["edges"]:
        beyond[edge[near]].append(edge)
    tree = Tree(_node(nodes[answer["root"]]))
    unfolded: set[str] = set()

    def unfold(branch: Tree, node: str) -> None:
        unfolded.add(node)
        for edge in sorted(beyond[node], key=lambda edge: str(nodes[edge[far]]["label"])):
            how = (
                "" if edge["ran"] else " [dim](declared, not run yet)[/]" if edge["declared"] else " [dim](reported)[/]"
            )
            met = edge[far] in unfolded
            again = " [dim]…see above[/]" if met and beyond[edge[far]] else ""
            grown = branch.add(_node(nodes[edge[far]]) + how + again)
            if not met:
                unfold(grown, edge[far])

    unfold(tree, answer["root"])
    return tree


def _node(node: Mapping[str, Any]) -> str:
    if node["masked"]:
        return f"[dim]{node['kind']} of team {escape(node['team'])} (not shown)[/]"
    label = escape(node["label"])
    if node["kind"] == "job":
        return f"[bold]{label}[/]"
    return f"[cyan]{label}[/]" + (" [dim](outside)[/]" if node["outside"] else "")


def run_tree(answer: Mapping[str, Any]) -> Tree:
    """A run: its starts, its tasks, their tries, exactly what each read and wrote."""
    tree = Tree(
        f"[bold]{escape('/'.join(answer[n] for n in ('team', 'dag_id', 'run_id')))}[/]  {_state(answer['state'])}"
    )
    for start in answer["starts"]:
        again = f"  after clear {start['clear_number']}" if start["clear_number"] else ""
        ended = f" to {_time(start['ended_at'])}" if start["ended_at"] else ""
        tree.add(f"[dim]started[/] {_time(start['started_at'])}{ended}  {_state(start['state'])}{again}")
    for name, tries in _by_task(answer["tries"]).items():
        branch = tree.add(f"[bold]{escape(name)}[/]" + (f"  {_state(tries[0]['state'])}" if len(tries) == 1 else ""))
        for one in tries:
            _add_try(branch if len(tries) == 1 else branch.add(f"try {one['try_number']}  {_state(one['state'])}"), one)
    if answer["truncated"]:
        tree.add("[yellow]there are more tries; ask with --limit[/]")
    return tree


def _by_task(tries: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    found: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    first = min((one["started_at"] or "~" for one in tries), default="")
    for one in sorted(tries, key=lambda one: (one["started_at"] or first, one["map_index"], one["try_number"])):
        found[one["task_id"] + (f"[{one['map_index']}]" if one["map_index"] >= 0 else "")].append(one)
    return dict(found)


def _add_try(branch: Tree, one: Mapping[str, Any]) -> None:
    if one["error_class"]:
        branch.add(f"[red]{escape(one['error_class'])}[/]")
    if one["refusal"]:
        branch.add(f"[red]refused: {escape(one['refusal'])}[/]")
    for verb, versions in (("read", one["inputs"]), ("wrote", one["outputs"])):
        for version in versions:
            branch.add(f"[dim]{verb:<5}[/] {_version(version)}")


def _version(version: Mapping[str, Any]) -> str:
    if version["dataset"] is None:
        return f"[dim]something of team {escape(version['team'])}[/]"
    generation = f" g{version['generation']}" if version["generation"] else ""
    told = version["partition"] and not version["partition"].startswith("run~")  # a run says its own name already
    date = f"  [dim]{escape(version['partition'])}[/]" if told else ""
    files = "1 file" if version["files"] == 1 else f"{version['files']} files"
    size = f"  {files}, {_size(version['bytes'])}" if version["bytes"] is not None else ""
    return f"[cyan]{escape(version['dataset'])}[/]{generation}{date}{size}"


def _state(state: str) -> str:
    colour = _COLOURS.get(state)
    return f"[{colour}]{state}[/]" if colour else state


def _time(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S}"


def _size(count: float) -> str:
    unit = 0
    while count >= 1024 and unit < len(_UNITS) - 1:
        count, unit = count / 1024, unit + 1
    return f"{count:.1f} {_UNITS[unit]}" if unit else f"{count:.0f} B"
