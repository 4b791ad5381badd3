# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dashboard and the alerts in docs/ ask for metrics that runs give, in a language that Prometheus takes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.packit.deployment.plugins.module_utils.history.runs import History, HistoryUpdate
from ansible_collections.packit.deployment.plugins.module_utils.populate.metrics import metrics_of
from tests.clusters.real import BINARIES

from .populate.test_metrics import BEGUN, outcome

DOCS = Path(__file__).parents[2] / "docs"
PROMTOOL = shutil.which("promtool") or shutil.which("promtool", path=str(BINARIES))
ALERTS = yaml.safe_load((DOCS / "alerts.yml").read_text())
DASHBOARD = json.loads((DOCS / "grafana-dashboard.json").read_text())
GIVEN = {f"packit_repository_cache_{metric.name}": {"deployment", *metric.labels} for metric in metrics_of([], HistoryUpdate(BEGUN), History(), outcome())}
EXPRESSIONS = [
    *(target["expr"].replace("$deployment", "packit-prod") for panel in DASHBOARD["panels"] for target in panel["targets"]),
    *(rule["expr"] for group in ALERTS["groups"] for rule in group["rules"]),
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_asks_for_metrics_and_labels_that_there_are(expression: str) -> None:
    asked = re.findall(r"packit_\w+", expression)
    assert asked and set(asked) <= set(GIVEN)
    for labels in re.findall(r"\{(\w+)=|by \((\w+)\)", expression):
        assert {label for label in labels if label} <= set.intersection(*(GIVEN[name] for name in asked))


def test_every_metric_of_a_run_is_on_the_dashboard() -> None:
    assert set(GIVEN) == {name for expression in EXPRESSIONS for name in re.findall(r"packit_\w+", expression)}


def test_the_dashboard_can_be_imported() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) == 10
    grids = [panel["gridPos"] for panel in panels]
    places = [(grid["x"] + x, grid["y"] + y) for grid in grids for x in range(grid["w"]) for y in range(grid["h"])]
    assert len(set(places)) == len(places) and max(x for x, _y in places) < 24
    named = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    assert set(re.findall(r"\$\{?(\w+)", json.dumps(DASHBOARD))) == named
    assert all(panel["title"] and panel["description"] and panel["fieldConfig"]["defaults"]["unit"] for panel in panels)
    legends = {word for panel in panels for target in panel["targets"] for word in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])}
    assert legends == {"project", "volume"}


def test_the_alerts_say_what_whose_and_what_to_do() -> None:
    rules = [rule for group in ALERTS["groups"] for rule in group["rules"]]
    assert [rule["expr"].rpartition(" > ")[2] for rule in rules] == ["3 * 86400", "0", "120"]
    for rule in rules:
        asked = GIVEN[re.search(r"packit_\w+", rule["expr"])[0]]  # type: ignore[index]
        words = json.dumps(rule["annotations"])
        assert set(re.findall(r"\$labels\.(\w+)", words)) == asked
        assert set(rule) - {"for"} == {"alert", "expr", "labels", "annotations"} and set(rule["annotations"]) == {"summary", "description"}


@pytest.mark.root
@pytest.mark.skipif(PROMTOOL is None, reason="promtool, which comes with Prometheus, is neither installed nor built")
def test_prometheus_own_tool_takes_them_and_they_fire_when_they_should(tmp_path: Path) -> None:
    def promtool(*arguments: str) -> None:
        done = subprocess.run([str(PROMTOOL), *arguments], capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr

    promtool("check", "rules", str(DOCS / "alerts.yml"))
    recorded = [{"record": f"dashboard:{number}", "expr": expression} for number, expression in enumerate(EXPRESSIONS)]
    (tmp_path / "dashboard.yml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": recorded}]}))
    promtool("check", "rules", "dashboard.yml")
    labels = 'deployment="packit-prod"'
    series = [
        {"series": f'packit_repository_cache_checked_timestamp_seconds{{{labels},project="kernel"}}', "values": "0x100"},
        {"series": f'packit_repository_cache_hold_seconds{{{labels},volume="s/held"}}', "values": "121x100"},
        {"series": f'packit_repository_cache_hold_seconds{{{labels},volume="s/not"}}', "values": "120x100"},
    ]

    def fires(after: str, alert: str, **more: str) -> dict[str, Any]:
        expected = [{"exp_labels": {"severity": "warning", "deployment": "packit-prod", **more}}] if more else []
        return {"eval_time": after, "alertname": alert, "exp_alerts": expected}

    cases = [
        fires("3d", "RepositoryCacheStale"),
        fires("73h", "RepositoryCacheStale", project="kernel"),
        fires("1h", "RepositoryCacheSandboxHeld", volume="s/held"),
    ]
    (tmp_path / "rules.yml").write_text(re.sub(r"(?m)^ +annotations:\n(?: {10}.*\n)+", "", (DOCS / "alerts.yml").read_text()))
    tests = [{"interval": "1h", "input_series": series, "alert_rule_test": cases}]
    (tmp_path / "tests.yml").write_text(yaml.safe_dump({"rule_files": ["rules.yml"], "evaluation_interval": "1h", "tests": tests}))
    promtool("test", "rules", "tests.yml")
