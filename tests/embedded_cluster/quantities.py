"""Resource quantities: "256Mi", "500m", "2". Pure.

Source of facts: k8s.io/apimachinery/pkg/api/resource: the sum keeps the first operand's format.
"""

from __future__ import annotations

import re
from fractions import Fraction

_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50}
_DECIMAL = {"n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000), "": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15}
_FORM = re.compile(r"^([+-]?[0-9.]+)(?:[eE]([+-]?[0-9]+)|([A-Za-z]*))$")


def parse(text: str | int | float) -> Fraction:
    """The number. Raises ValueError for what is no quantity."""
    found = _FORM.match(str(text))
    factor = (_BINARY.get(found[3] or "") or _DECIMAL.get(found[3] or "")) if found else None
    if found is None or factor is None:
        raise ValueError(f"{text!r} is not a quantity")
    return Fraction(found[1]) * factor * Fraction(10) ** int(found[2] or 0)


def render(value: Fraction, like: str | int | float) -> str:
    """The number as the server writes it: with binary units if ``like`` has them, the largest that leaves an integer."""
    if value == 0:
        return "0"
    units: dict[str, int | Fraction] = dict(_BINARY) if str(like)[-1:] == "i" else dict(_DECIMAL)
    fitting = [(Fraction(factor), unit) for unit, factor in {**units, "": 1}.items() if (value / factor).denominator == 1]
    factor, unit = max(fitting, default=(Fraction(1), ""))
    return f"{value / factor}{unit}"


def total(items: list[str]) -> str:
    """The sum."""
    return render(sum((parse(item) for item in items), Fraction(0)), like=next((item for item in items if parse(item)), "0"))
