"""One suite for every notebook; each notebook's test module inherits it."""

from dataclasses import replace
from datetime import datetime

import pytest
from outrider_bus.ports import StaleEpochError
from sweep.adapters.memory import MemoryNotebook
from sweep.domain.seen import Cursor, KnownRun, Outcome, Page, SaidTry, Told, Whose, try_of
from sweep.records import PostgresNotebook

from tests.unit.sweep.world import at

Book = MemoryNotebook | PostgresNotebook
RUN = KnownRun("daily", "r1", Whose("ads", "bundle"), at(0))
END: SaidTry = ("daily", "r1", "load", -1, 1, "failed", at(2))


def page(token: str | None, clock: datetime) -> Page[object]:
    return Page((), token, clock)


class KeepingSuite:
    """What the ports promise."""

    async def test_a_cursor_moves_only_from_where_it_stood(self, notebook: Book) -> None:
        """Two sweeps can't both keep what they read."""
        fresh = await notebook.at("runs")
        halfway = fresh.after(page("2", at(5)))
        await notebook.write(Outcome(moved=("runs", fresh, halfway)))
        assert await notebook.at("runs") == halfway

        with pytest.raises(StaleEpochError):
            await notebook.write(Outcome(known=(RUN,), moved=("runs", fresh, halfway)))
        assert await notebook.known([RUN.key]) == {}

        done = halfway.after(page(None, at(9)))
        await notebook.write(Outcome(moved=("runs", halfway, done)))
        assert await notebook.at("runs") == done == Cursor(max(fresh.since, at(5)))

    async def test_passes_have_cursors_of_their_own(self, notebook: Book) -> None:
        """Reading runs says nothing about tasks."""
        fresh = await notebook.at("runs")
        await notebook.write(Outcome(moved=("runs", fresh, Cursor(at(5)))))

        assert (await notebook.at("tasks")).since != at(5)

    async def test_what_was_said_is_remembered(self, notebook: Book) -> None:
        """By try: the word told last, and the latest end."""
        await notebook.write(Outcome(dealt_with=frozenset({END})))
        await notebook.write(Outcome(dealt_with=frozenset({END})))

        assert await notebook.told([try_of(END), (*END[:4], 2)]) == {try_of(END): Told("failed", "failed", at(2), True)}
        assert await notebook.told([]) == {}

    async def test_the_last_word_and_the_latest_end_may_be_two(self, notebook: Book) -> None:
        """A process may say late that it ended early."""
        await notebook.write(Outcome(dealt_with=frozenset({END})))
        await notebook.write(Outcome(dealt_with=frozenset({(*END[:5], "success", at(1))})))

        assert await notebook.told([try_of(END)]) == {try_of(END): Told("success", "failed", at(2), True)}

    @pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2), (0, 0, 3, 3, 1, 1, 2, 2)])
    async def test_what_is_known_comes_to_the_same_in_any_order(self, notebook: Book, order: tuple[int, ...]) -> None:
        """A later start replaces an earlier one, an end stays once it is known."""
        reopened = replace(RUN, started_at=at(30), clear_number=1)
        cleared = replace(reopened, clear_number=2, counted_to=at(35))
        tellings = (RUN, replace(RUN, ended_at=at(9)), cleared, replace(reopened, ended_at=at(40)))
        for telling in order:
            await notebook.write(Outcome(known=(tellings[telling],)))

        assert await notebook.known([RUN.key]) == {RUN.key: replace(cleared, ended_at=at(40))}

    async def test_a_run_of_another_team_is_another_run(self, notebook: Book) -> None:
        """Nothing said in one team's name is known of the other's."""
        await notebook.write(Outcome(known=(RUN,)))

        assert await notebook.known([("news", "daily", "r1")]) == {}

    async def test_a_run_that_is_gone_is_forgotten_unless_it_started_again(self, notebook: Book) -> None:
        """A deletion concerns the run that was, not the one created since."""
        again = replace(RUN, started_at=at(30))
        await notebook.write(Outcome(known=(again,), gone=(RUN,)))
        assert await notebook.known([RUN.key]) == {RUN.key: again}

        await notebook.write(Outcome(gone=(again,)))
        assert await notebook.known([RUN.key]) == {}

    async def test_every_run_comes_due_in_turn(self, notebook: Book) -> None:
        """However few are asked after at a time."""
        runs = [replace(RUN, run_id=f"r{number}") for number in range(3)]
        await notebook.write(Outcome(known=tuple(runs)))

        asked = [run.run_id for _ in range(3) for run in await notebook.due(1)]

        assert sorted(asked) == ["r0", "r1", "r2"]

    @pytest.mark.parametrize("suspected", [("daily", "r2"), ("daily", "")])
    async def test_a_run_that_may_be_deleted_comes_due_before_all_others(
        self, notebook: Book, suspected: tuple[str, str]
    ) -> None:
        """Once it is missing it has its turn with the missing ones."""
        others = [replace(RUN, dag_id="other", run_id=f"r{number}") for number in range(3)]
        meant = replace(RUN, run_id="r2", ended_at=at(9))
        await notebook.write(Outcome(known=(*others, meant)))

        await notebook.write(Outcome(suspected=(suspected, ("nobody", "knows"))))
        asked = await notebook.due(1)

        assert asked == [meant]

    async def test_a_missing_run_is_remembered_as_missing(self, notebook: Book) -> None:
        """Until it is read again."""
        await notebook.write(Outcome(known=(RUN,)))
        await notebook.write(Outcome(known=(replace(RUN, missing_since=at(50)),)))
        (missing,) = (await notebook.known([RUN.key])).values()
        await notebook.write(Outcome(known=(RUN,)))
        (back,) = (await notebook.known([RUN.key])).values()

        assert (missing.missing_since, back.missing_since) == (at(50), None)
