"""Which edges declared inputs mean, and what can't hold."""

import time

import pytest
from outrider_airflow.dependencies import DeclarationRefused, Edge, plan_edges
from outrider_contracts.declarations import Input, Output, TaskDeclaration, parse_declaration


def declared(**tasks: dict[str, object]) -> dict[str, TaskDeclaration]:
    return {task_id: parse_declaration(task_id, **told) for task_id, told in tasks.items()}


EXTRACT: dict[str, object] = {"outputs": {"orders": Output()}}


def test_an_input_makes_its_task_run_after_the_one_it_reads() -> None:
    told = declared(extract=EXTRACT, report={"inputs": {"orders": Input("extract", "orders")}})

    assert plan_edges(told, {"extract": frozenset(), "report": frozenset()}) == (Edge("extract", "report"),)


def test_an_edge_that_is_there_is_not_added_again() -> None:
    told = declared(extract=EXTRACT, report={"inputs": {"orders": Input("extract", "orders")}})

    assert plan_edges(told, {"extract": frozenset({"report"}), "report": frozenset()}) == ()


def test_an_input_of_another_dag_makes_no_edge() -> None:
    told = declared(report={"inputs": {"orders": Input("extract", "orders", dag="other")}})

    assert plan_edges(told, {"report": frozenset()}) == ()


def test_an_unknown_task_is_refused_with_the_one_that_was_meant() -> None:
    told = declared(report={"inputs": {"orders": Input("extrakt", "orders")}})

    with pytest.raises(DeclarationRefused, match=r"no task 'extrakt'. Did you mean 'extract'\?"):
        plan_edges(told, {"extract": frozenset(), "report": frozenset()})


def test_a_task_in_a_group_is_meant_by_its_whole_id() -> None:
    told = declared(report={"inputs": {"orders": Input("extract", "orders")}})

    with pytest.raises(DeclarationRefused, match=r"Did you mean 'load.extract'\?"):
        plan_edges(told, {"load.extract": frozenset(), "report": frozenset()})


def test_an_unknown_output_is_refused_with_those_there_are() -> None:
    told = declared(extract=EXTRACT, report={"inputs": {"x": Input("extract", "order")}})

    with pytest.raises(DeclarationRefused, match="it declares orders"):
        plan_edges(told, {"extract": frozenset(), "report": frozenset()})


@pytest.mark.parametrize("downstream", [{"report": {"middle"}, "middle": {"extract"}}, {}])
def test_a_circle_is_refused_also_one_that_inputs_alone_would_close(downstream: dict[str, set[str]]) -> None:
    told = declared(
        extract={**EXTRACT, **({} if downstream else {"inputs": {"back": Input("report", "text")}})},
        report={"inputs": {"orders": Input("extract", "orders")}, "outputs": {"text": Output()}},
    )
    edges = {task: frozenset(downstream.get(task, ())) for task in ("extract", "report", "middle")}

    with pytest.raises(DeclarationRefused, match="runs after"):
        plan_edges(told, edges)


def test_a_task_can_not_read_itself() -> None:
    told = declared(report={"inputs": {"old": Input("report", "text")}, "outputs": {"text": Output()}})

    with pytest.raises(DeclarationRefused, match="latest"):
        plan_edges(told, {"report": frozenset()})


def test_an_earlier_run_of_the_same_dag_is_read_without_an_edge_but_checked() -> None:
    told = declared(report={"inputs": {"old": Input("report", "text", dag="daily")}, "outputs": {"text": Output()}})

    assert plan_edges(told, {"report": frozenset()}, dag_id="daily") == ()
    with pytest.raises(DeclarationRefused, match=r"no output 'words'; it declares text"):
        plan_edges(
            declared(report={**EXTRACT, "inputs": {"old": Input("extract", "words", dag="daily")}}, extract={
                "outputs": {"text": Output()}}),
            {"report": frozenset(), "extract": frozenset()}, dag_id="daily",
        )  # fmt: skip


@pytest.mark.parametrize("source", [Input("extract", "orders", run="latest"), Input("extract", "orders", dag="daily")])
def test_what_is_kept_for_its_run_can_not_be_read_by_another(source: Input) -> None:
    told = declared(
        extract={"outputs": {"orders": Output(retention="run")}}, report={"inputs": {"orders": source}}
    )  # fmt: skip

    with pytest.raises(DeclarationRefused, match=r'kept for its run only.*Output\(retention="3d"\)'):
        plan_edges(told, {"extract": frozenset(), "report": frozenset()}, dag_id="daily")


def test_a_large_dag_is_planned_in_time_that_grows_with_its_edges() -> None:
    """It is read in every process of its tasks: 5,000 tasks in layers, each reading the layer before the last, too."""
    layers = [[f"t{layer:02}_{at:02}" for at in range(100)] for layer in range(50)]
    downstream = {
        task: frozenset(behind) for own, behind in zip(layers, [*layers[1:], []], strict=True) for task in own
    }
    reads = {
        task: {"inputs": {"orders": Input(layers[at - 2][0], "orders")}} if at > 1 else {}
        for at, own in enumerate(layers) for task in own
    }  # fmt: skip
    told = declared(**{task: {**EXTRACT, **inputs} for task, inputs in reads.items()})

    began = time.process_time()
    assert len(plan_edges(told, downstream)) == 4800
    assert time.process_time() - began < 5
