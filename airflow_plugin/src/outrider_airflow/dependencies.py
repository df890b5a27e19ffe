"""What declared inputs ask of a DAG: which edges are missing, and what can't be. Pure: no object of Airflow's here."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from outrider_contracts.declarations import TaskDeclaration


@dataclass(frozen=True)
class Edge:
    """*consumer* reads an output of *producer*, so it runs after it."""

    producer: str
    consumer: str


class DeclarationRefused(ValueError):
    """A declaration that can't hold; the message says what to write instead."""


def plan_edges(
    declared: Mapping[str, TaskDeclaration], downstream: Mapping[str, frozenset[str]], *, dag_id: str = ""
) -> tuple[Edge, ...]:
    """Say which edges *declared* needs beyond those of *downstream* (task id -> ids right behind it, for every task).

    An input from an earlier run of this very DAG needs none. Raises DeclarationRefused for an unknown task or output,
    for one that is gone with its run before it is read, and where an edge would close a circle.
    """
    edges: dict[Edge, str] = {}
    after = {task: set(behind) for task, behind in downstream.items()}
    for consumer, told in sorted(declared.items()):
        for name, source in sorted(told.inputs.items()):
            if source.team is not None or source.dag not in (None, dag_id):
                continue  # of another DAG, of which nothing is known here
            where = f"task {consumer!r}, input {name!r}"
            _check(where, source.task, source.output, declared, downstream)
            if source.selection != "same":
                _check_kept(where, source.task, source.output, declared)
            if source.dag is not None:
                continue
            if consumer in after[source.task]:
                continue
            after[source.task].add(consumer)
            edges[Edge(source.task, consumer)] = where
    if edges and _has_circle(after):
        _refuse_circle(edges, downstream)
    return tuple(edges)


def check_volumes(declared: Mapping[str, TaskDeclaration], team: str) -> None:
    """Raise DeclarationRefused for an input of another team than *team* in a task that works on the shared volume."""
    for consumer, told in sorted(declared.items()):
        for name, source in sorted(told.inputs.items()) if told.volume else ():
            if source.team not in (None, team):
                raise DeclarationRefused(
                    f'task {consumer!r}, input {name!r}: with mode="volume" team {team}\'s own directory is mounted, '
                    f"and no output of team {source.team} lies there. Leave the input out; teams whose data lies on a "
                    "shared volume hand it to others by a connection (destinations=, sources=)."
                )


def _check(
    where: str,
    task: str,
    output: str,
    declared: Mapping[str, TaskDeclaration],
    known: Mapping[str, frozenset[str]],
) -> None:
    if task not in known:
        raise DeclarationRefused(f"{where}: this DAG has no task {task!r}.{_meant(task, known)}")
    outputs = declared[task].outputs if task in declared else {}
    if output not in outputs:
        declares = f"it declares {', '.join(sorted(outputs))}" if outputs else "it declares none"
        raise DeclarationRefused(
            f"{where}: task {task!r} has no output {output!r}; {declares}.{_meant(output, outputs)} "
            f'Declare it there: outputs={{"{output}": Output()}}.'
        )


def _check_kept(where: str, task: str, output: str, declared: Mapping[str, TaskDeclaration]) -> None:
    if declared[task].outputs[output].retention == "run":
        raise DeclarationRefused(
            f"{where}: output {output!r} of task {task!r} is kept for its run only, so no other run can read it. "
            f'Keep it longer: outputs={{"{output}": Output(retention="3d")}}, or read that of the same run.'
        )


def _meant(word: str, words: Mapping[str, object]) -> str:
    near = get_close_matches(word, list(words), n=1) or [name for name in words if name.endswith(f".{word}")][:1]
    return f" Did you mean {near[0]!r}?" if near else ""


def _refuse_circle(edges: Mapping[Edge, str], downstream: Mapping[str, frozenset[str]]) -> None:
    """Raise DeclarationRefused for the first of *edges* that closes one; where each was declared is its value."""
    after = {task: set(behind) for task, behind in downstream.items()}
    for edge, where in edges.items():
        if edge.producer == edge.consumer or edge.producer in _reachable(edge.consumer, after):
            raise DeclarationRefused(
                f"{where}: task {edge.producer!r} runs after {edge.consumer!r}, so it can't be read by it. "
                'Read the last run\'s version with Input(dag=…, task=…, output=…, run="latest"), '
                "or turn the dependency round."
            )
        after[edge.producer].add(edge.consumer)


def _has_circle(after: Mapping[str, set[str]]) -> bool:
    """Whether some tasks wait for one another. To look from each edge for a way back would take long in a large DAG."""
    waits = Counter(behind for each in after.values() for behind in each)
    free = [task for task in after if not waits[task]]
    done = 0
    while free:
        done += 1
        for behind in after[free.pop()]:
            waits[behind] -= 1
            if not waits[behind]:
                free.append(behind)
    return done < len(after)


def _reachable(task: str, after: Mapping[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    open_tasks = [task]
    while open_tasks:
        for behind in after[open_tasks.pop()]:
            if behind not in seen:
                seen.add(behind)
                open_tasks.append(behind)
    return seen
