# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The library for metrics, which is optional, and where metrics go: a Pushgateway, or a file for the node exporter."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from ..errors import InvalidOption
from .outgoing import NotSent, send

_PREFIX = "packit_repository_cache"
_DEPLOYMENT = "deployment"
"""The label with the workers' namespace. `namespace` is often one that Prometheus itself gives to what it reads."""
_SERIES = 2000
"""Series of one metric at the most."""
_SUFFIX = ".prom"


@dataclass(frozen=True)
class Metric:
    """A gauge, with its values by those of its labels."""

    name: str
    words: str
    labels: tuple[str, ...]
    values: Mapping[tuple[str, ...], float]


def require_library(option: str) -> None:
    """Raises InvalidOption where the library is missing: told now, and not when an alarm did not come."""
    try:
        _library()
    except ImportError:
        raise InvalidOption(
            f"Option `{option}` needs the package prometheus_client, which is missing for the interpreter {sys.executable}.",
            f"Install it there: {sys.executable} -m pip install prometheus_client",
        ) from None


def check_file(path: str) -> None:
    """Raises InvalidOption where nobody would read the file."""
    if not path.endswith(_SUFFIX):
        raise InvalidOption(
            f"Option `metrics_file` is {path}, and the node exporter reads only files whose names end with {_SUFFIX}.",
            f"Call it {PurePath(path).name}{_SUFFIX}.",
        )


def push(url: str, deployment: str, metrics: Iterable[Metric]) -> None:
    """Replace what a Pushgateway has of this deployment. Raises NotSent."""

    def handler(url: str, method: str, timeout: float | None, headers: Iterable[tuple[str, str]], data: bytes) -> Callable[[], None]:
        del timeout  # `send` has its own, for all of it
        return lambda: send(url, method, dict(headers), data)

    _library().push_to_gateway(url, _PREFIX, _registry(deployment, metrics), {_DEPLOYMENT: deployment}, handler=handler)


def write_file(path: str, deployment: str, metrics: Iterable[Metric]) -> None:
    """Write the metrics to a file, at once as a whole. Raises NotSent."""
    try:
        _library().write_to_textfile(path, _registry(deployment, metrics))
    except OSError as error:
        raise NotSent(f"{path} could not be written: {error.strerror}.") from error


def _registry(deployment: str, metrics: Iterable[Metric]) -> Any:
    registry = _library().CollectorRegistry()
    for metric in metrics:
        gauge = _library().Gauge(f"{_PREFIX}_{metric.name}", metric.words, (_DEPLOYMENT, *metric.labels), registry=registry)
        for key in sorted(metric.values)[:_SERIES]:
            gauge.labels(deployment, *key).set(metric.values[key])
    return registry


def _library() -> Any:
    """Import the library, for those alone who want metrics: it takes long. Raises ImportError."""
    import prometheus_client  # noqa: PLC0415

    return prometheus_client
