"""Lineage as a person reads it in a terminal."""

from typing import Any

from outrider_cli.lineage_trees import graph_tree, run_tree
from rich.console import Console


def _text(tree: Any) -> str:
    console = Console(width=140, no_color=True)
    with console.capture() as captured:
        console.print(tree)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def _node(id: str, kind: str = "dataset", **more: Any) -> dict[str, Any]:
    return {"id": id, "kind": kind, "team": id.split("/")[0], "label": id, "masked": False, "outside": False, **more}


def _edge(source: str, target: str, ran: bool = True) -> dict[str, Any]:
    return {"source": source, "target": target, "ran": ran, "declared": True, "reported": False}


def test_a_node_met_twice_is_unfolded_once() -> None:
    """A diamond stays readable, and another team's node keeps its name to itself."""
    answer = {
        "root": "ads/d/report", "direction": "upstream",
        "nodes": [
            _node("ads/d/report", "job"), _node("ads/d/a/x"), _node("ads/d/b/y"), _node("ads/d/load", "job"),
            _node("masked-1", "job", masked=True, team="news"),
        ],
        "edges": [
            _edge("ads/d/a/x", "ads/d/report"), _edge("ads/d/b/y", "ads/d/report", ran=False),
            _edge("ads/d/load", "ads/d/a/x"), _edge("ads/d/load", "ads/d/b/y"), _edge("masked-1", "ads/d/load"),
        ],
    }  # fmt: skip

    assert _text(graph_tree(answer)) == (
        "ads/d/report\n"
        "├── ads/d/a/x\n"
        "│   └── ads/d/load\n"
        "│       └── job of team news (not shown)\n"
        "└── ads/d/b/y (declared, not run yet)\n"
        "    └── ads/d/load …see above"
    )


def test_a_run_tells_every_try_and_what_it_read_and_wrote() -> None:
    """The try that failed, the one that made it, and the exact version."""
    version = {
        "name": "orders", "dataset": "ads/d/load/orders", "team": "ads", "generation": 1, "partition": "20261101T",
        "files": 2, "bytes": 2048,
    }  # fmt: skip
    base = {"task_id": "sum", "map_index": 0, "started_at": "2026-11-01T00:00:00Z", "refusal": "", "outputs": []}
    answer = {
        "team": "ads", "dag_id": "d", "run_id": "r", "state": "success", "starts": [], "truncated": False,
        "tries": [
            {**base, "try_number": 1, "state": "up_for_retry", "error_class": "ValueError", "inputs": []},
            {**base, "try_number": 2, "state": "success", "error_class": "", "inputs": [version]},
        ],
    }  # fmt: skip

    assert _text(run_tree(answer)) == (
        "ads/d/r  success\n"
        "└── sum[0]\n"
        "    ├── try 1  up_for_retry\n"
        "    │   └── ValueError\n"
        "    └── try 2  success\n"
        "        └── read  ads/d/load/orders g1  20261101T  2 files, 2.0 KiB"
    )
