"""Makes DAGs of every kind from a seed: the same seed makes the same DAGs."""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tests.integration.airflow.states.pieces import CONSUMER, GATED, PIECES, PRELUDE

RULES = ("all_success", "all_done", "one_failed", "none_failed", "all_skipped", "none_failed_min_one_success")


@dataclass(frozen=True)
class GeneratedDag:
    """A DAG's file. `limited`: its runs may take some seconds only."""

    dag_id: str
    source: str
    limited: bool


def generate(seed: int, *, dags: int, pieces: int, without: Collection[str] = ()) -> list[GeneratedDag]:
    """*dags* DAGs of *pieces* pieces each, the last one limited. No piece comes twice before each came once."""
    dice = random.Random(seed)
    palette = sorted(set(PIECES) - set(without))
    deck: list[str] = []
    while len(deck) < dags * pieces:
        deck += dice.sample(palette, len(palette))
    return [
        _dag(f"any_{seed}_{number}", deck[number * pieces : (number + 1) * pieces], dice, limited=number == dags - 1)
        for number in range(dags)
    ]


def _dag(dag_id: str, kinds: Sequence[str], dice: random.Random, *, limited: bool) -> GeneratedDag:
    limit = "timedelta(seconds=8)" if limited else "None"
    body = [f"with DAG({dag_id!r}, schedule=None, dagrun_timeout={limit}) as dag:", _numbered(GATED, 0, dag_id)]
    body += [_numbered(PIECES[kind], number, dag_id) for number, kind in enumerate(kinds)]
    body += [_tie(number, dice) for number in range(len(kinds)) if number and dice.random() < 0.6]
    body.append("    last_gate >> first_0")
    body += [_numbered(CONSUMER, number, dag_id) for number, kind in enumerate(kinds) if kind == "asset"]
    return GeneratedDag(dag_id, PRELUDE + "\n".join(body), limited)


def _numbered(text: str, number: int, dag_id: str) -> str:
    return text.replace("NN", str(number)).replace("DAGID", dag_id)


def _tie(number: int, dice: random.Random) -> str:
    """A task of any trigger rule between this piece and one before it."""
    before, rule = dice.randrange(number), dice.choice(RULES)
    return (
        f'    last_{before} >> EmptyOperator(task_id="tie_{number}", trigger_rule={rule!r}) '
        f'>> BashOperator(task_id="tied_{number}", bash_command="true") >> first_{number}'
    )
