"""Quantities as people write them: 5Mi, 2Ti, 800k."""

import re

_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(|k|M|G|T|Ki|Mi|Gi|Ti)")


def parse_quantity(text: str) -> int:
    """The number of bytes. Raises ValueError naming the accepted form."""
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no quantity; write a number and a unit, for example '5Mi' or '2Ti'")
    return int(float(match[1]) * _UNITS[match[2]])
