# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics of a run: what they say, and how a Pushgateway and the node exporter get them."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.model import Pair, Role, Snapshot, Volume
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.plan import Action, Plan
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.record import Record
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.results import (
    HoldTimes,
    PairResult,
    ProjectResult,
    VolumeResult,
)
from ansible_collections.packit.deployment.plugins.module_utils.errors import InvalidOption
from ansible_collections.packit.deployment.plugins.module_utils.given_values import State
from ansible_collections.packit.deployment.plugins.module_utils.history.runs import History, HistoryUpdate, Run, SnapshotAt
from ansible_collections.packit.deployment.plugins.module_utils.populate.history_update import history_update
from ansible_collections.packit.deployment.plugins.module_utils.populate.metrics import metrics_of
from ansible_collections.packit.deployment.plugins.module_utils.populate.outgoing import NotSent
from ansible_collections.packit.deployment.plugins.module_utils.populate.prometheus import (
    Metric,
    check_file,
    push,
    require_library,
    write_file,
)
from ansible_collections.packit.deployment.plugins.module_utils.populate.run import Outcome
from ansible_collections.packit.deployment.tests.receiver import receiver
from ansible_collections.packit.deployment.tests.unit.history.test_runs import DIGEST, NOW
from ansible_collections.packit.deployment.tests.unit.recorded import recorded_entry

SANDBOX, WORKER = Volume("p-sandbox", "sandbox0", Role.SANDBOX, "w0"), Volume("p", "worker0", Role.WORKER, "w0")
HELD = recorded_entry(url="https://h/one.git", snapshot=DIGEST, bytes=700, time="2026-11-28T12:00:00Z")
RECORD = Record("uid", "pv", {"one": HELD, "old": HELD})
BEGUN = Run("1", NOW, "me", "present", 2)
LABELS = {"deployment": "p"}
Values = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def outcome() -> Outcome:
    """A sandbox that was held twice and has two projects, of which one failed; its worker got nothing."""
    rows = (ProjectResult(SANDBOX, "one", Action.UPDATE, HELD), ProjectResult(SANDBOX, "two", Action.FAILED, error="No.", remedy="Do."))
    sandbox = VolumeResult(SANDBOX, rows, (HoldTimes(0.5, 2.0, 0.5), HoldTimes(1.0, 6.0, 0.5)))
    worker = VolumeResult(WORKER, (ProjectResult(WORKER, "two", Action.BLOCKED, error="Its sandbox."),), (HoldTimes(100.0, 100.0, 100.0),))
    return Outcome(
        Plan(State.PRESENT, ()), {}, {"one": Snapshot((), "")}, (PairResult(Pair(WORKER, SANDBOX), sandbox, worker),), (),
        after={SANDBOX: RECORD, WORKER: None}, capacities={SANDBOX: 1000, WORKER: 0},
    )  # fmt: skip


def sample_values(text: str) -> Values:
    """By name and labels, without the one that all have. Raises ValueError where it is no OpenMetrics; for gauges they end in one line more."""
    found: Values = {}
    for family in text_string_to_metric_families(f"{text}# EOF\n"):
        assert family.type == "gauge" and family.documentation
        for sample in family.samples:
            labels = dict(sample.labels)
            assert labels.pop("deployment") == "p"
            found[sample.name.removeprefix("packit_repository_cache_"), tuple(sorted(labels.items()))] = sample.value
    return found


def written(metrics: list[Metric], directory: Path) -> Values:
    path = directory / "cache.prom"
    write_file(str(path), "p", metrics)
    assert [one.name for one in directory.iterdir()] == ["cache.prom"]
    return sample_values(path.read_text())


def test_a_run_tells_ages_as_times_and_sizes_holds_and_failures_by_volume_and_project(tmp_path: Path) -> None:
    ended = NOW + timedelta(seconds=90)
    update = history_update(outcome(), BEGUN, ended, all_pairs=True)
    earlier = SnapshotAt(NOW - timedelta(days=4), DIGEST)
    history = History((), {**update.checked, "two": earlier, "of-another-list": earlier}, {**update.changed, "two": earlier})
    sandbox, worker = ("volume", "p-sandbox/sandbox0"), ("volume", "p/worker0")
    one, two = ("project", "one"), ("project", "two")
    assert written(metrics_of(["one", "two"], update, history, outcome()), tmp_path) == {
        ("run_timestamp_seconds", ()): ended.timestamp(),
        ("run_duration_seconds", ()): 90,
        ("run_failed", ()): 1,
        ("checked_timestamp_seconds", (one,)): NOW.timestamp(),
        ("checked_timestamp_seconds", (two,)): earlier.time.timestamp(),
        ("checked_timestamp_seconds", (("project", "of-another-list"),)): earlier.time.timestamp(),
        ("changed_timestamp_seconds", (one,)): ended.timestamp(),
        ("changed_timestamp_seconds", (two,)): earlier.time.timestamp(),
        ("project_bytes", (one, sandbox)): 700,
        ("project_bytes", (("project", "old"), sandbox)): 700,
        ("capacity_bytes", (sandbox,)): 1000,
        ("free_bytes", (sandbox,)): 0,
        ("hold_seconds", (sandbox,)): 7.5,
        ("failed", (one, sandbox)): 0,
        ("failed", (two, sandbox)): 1,
        ("failed", (two, worker)): 1,
    }


def test_a_run_that_could_do_nothing_still_tells_what_it_knows(tmp_path: Path) -> None:
    history = History((), {"one": SnapshotAt(NOW, DIGEST)})
    values = written(metrics_of(["one"], HistoryUpdate(Run("1", NOW, "me", "present", 1, error="No rights.")), history, None), tmp_path)
    assert {name for name, _labels in values} == {"run_timestamp_seconds", "run_duration_seconds", "run_failed", "checked_timestamp_seconds"}
    assert values["run_failed", ()] == 1


def test_what_was_never_checked_is_as_old_as_can_be_and_what_is_removed_is_not_told(tmp_path: Path) -> None:
    run = Run("1", NOW, "me", "present", 1, error="No rights.")
    checked = "checked_timestamp_seconds"
    assert written(metrics_of(["one"], HistoryUpdate(run), History(), None), tmp_path)[checked, (("project", "one"),)] == 0
    removal = HistoryUpdate(replace(run, state="absent"))
    assert not [name for name, _labels in written(metrics_of(["one"], removal, History(), None), tmp_path) if name == checked]


def test_a_pushgateway_gets_them_under_the_deployments_name_in_place_of_the_last_ones() -> None:
    with receiver() as gateway:
        push(gateway.url(), "p", metrics_of(["one"], history_update(outcome(), BEGUN, NOW, all_pairs=True), History(), outcome()))
        (request,) = gateway.received
        assert (request.method, request.path) == ("PUT", "/metrics/job/packit_repository_cache/deployment/p")
        assert request.headers["Content-Type"].startswith("text/plain; version=")
        assert sample_values(request.body.decode())["hold_seconds", (("volume", "p-sandbox/sandbox0"),)] == 7.5
        gateway.status = 400
        with pytest.raises(NotSent, match=r"^http://127\.0\.0\.1 answered with HTTP status 400\.$"):
            push(gateway.url("s3cret", "me:PA55word"), "p", [])


def test_series_are_bounded(tmp_path: Path) -> None:
    assert len(written([Metric("failed", "x", ("project",), {(f"p{n}",): 1.0 for n in range(5000)})], tmp_path)) == 2000


def test_a_file_that_cannot_be_written_or_that_nobody_reads_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotSent, match=r"nowhere/cache\.prom could not be written: No such file or directory\."):
        write_file(str(tmp_path / "nowhere" / "cache.prom"), "p", [])
    with pytest.raises(InvalidOption, match=r"reads only files whose names end with \.prom\. Call it cache\.txt\.prom\."):
        check_file("/var/lib/cache.txt")
    check_file("/var/lib/cache.prom")


def test_without_the_library_the_option_is_refused_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    require_library("pushgateway")
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(InvalidOption, match=r"Option `pushgateway` needs the package prometheus_client.* -m pip install prometheus_client$"):
        require_library("pushgateway")
