"""A small evaluator of IAM policies, written from AWS' published rules and independent of the texts it judges.

An explicit Deny wins, else an Allow, else no. `*` matches any characters, slashes too, `?` one.
Source: IAM User Guide, "Policy evaluation logic" and "Element reference".
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def allows(
    policies: Iterable[Mapping[str, object]], action: str, resource: str, context: Mapping[str, str] | None = None
) -> bool:
    """Whether an identity with *policies* may do *action* on *resource*. *context*: condition keys of the request."""
    statements = [
        s for policy in policies for s in _list(policy["Statement"]) if _applies(s, action, resource, context or {})
    ]
    effects = {statement["Effect"] for statement in statements}
    return "Allow" in effects and "Deny" not in effects


def _applies(statement: Mapping[str, Any], action: str, resource: str, context: Mapping[str, str]) -> bool:
    known = {"Sid", "Effect", "Action", "Resource", "Condition"}
    assert statement.keys() <= known, "the evaluator does not know every element of this statement"
    return (
        any(_matches(pattern, action, ignore_case=True) for pattern in _list(statement["Action"]))
        and any(_matches(pattern, resource) for pattern in _list(statement["Resource"]))
        and all(_holds(operator, test, context) for operator, test in statement.get("Condition", {}).items())
    )


def _holds(operator: str, test: Mapping[str, Any], context: Mapping[str, str]) -> bool:
    assert operator == "StringLike", "the evaluator knows no other operator"
    return all(key in context and any(_matches(p, context[key]) for p in _list(wanted)) for key, wanted in test.items())


def _matches(pattern: str, text: str, *, ignore_case: bool = False) -> bool:
    translated = "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    return re.fullmatch(translated, text, re.DOTALL | (re.IGNORECASE if ignore_case else 0)) is not None


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [value]
