"""Why a run or task is where it is: one story out of what storage and lineage answer. Pure, for command and page."""

from outrider_contracts.explain.compose import explain
from outrider_contracts.explain.story import Cause, Explanation, InputStory, Moment, OutputStory, Subject

__all__ = ["Cause", "Explanation", "InputStory", "Moment", "OutputStory", "Subject", "explain"]
