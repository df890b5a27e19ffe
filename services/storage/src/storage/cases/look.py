"""Looking whether an output is there yet: nothing is resolved for good and nothing held, so it may be asked often."""

from datetime import timedelta

from outrider_contracts.declarations import TaskDeclaration
from outrider_contracts.http import OutputAnswer, OutputRequest

from storage.cases.resolve import Held, find
from storage.cases.take import keep_refusal
from storage.cases.work import Work
from storage.domain.admission import check_grant
from storage.domain.attempts import Wanted
from storage.domain.refusals import Refused, Waiting

_LOOK_AGAIN_SECONDS = 5.0


async def sealed(work: Work, request: OutputRequest) -> OutputAnswer:
    """What a try that asked now would read; a no is kept for people who ask why. Raises Waiting, Refused."""
    try:
        return await _sealed(work, request)
    except Refused as refusal:
        if request.try_number is not None:
            tried = request.reader.attempt(request.try_number)
            await keep_refusal(work, tried, request.run_started_at, refusal)
        raise


async def _sealed(work: Work, request: OutputRequest) -> OutputAnswer:
    """The parts a try that asked now would read. Raises Waiting where there is no sealed version yet, and Refused.

    Airflow is asked only for the parts of a mapped producer of which some are sealed.
    """
    declared = request.input
    reader = await work.admit(request.reader.team)
    check_grant(reader, declared, request.reader.dag_id)
    wanted = Wanted(
        request.reader, request.run_started_at, request.run_after, request.logical_date,
        TaskDeclaration(task_id=request.reader.task_id),
    )  # fmt: skip
    held: Held = {}
    while True:
        async with work.database.begin() as tx:
            found = await find(tx.connection, wanted, declared, held, timedelta(0))
        if found.parts is not None:
            return OutputAnswer(versions=found.parts)
        if found.ask is None:
            output = f"{declared.dag or request.reader.dag_id}/{declared.task}/{declared.output}"
            raise Waiting(f"a sealed version of {output}", _LOOK_AGAIN_SECONDS)
        run, task_id = found.ask
        held[run, task_id] = await work.airflow.map_indexes(run, task_id)
