# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One failure costs one thing, and a passing one costs nothing."""

from __future__ import annotations

from tests.repositories import make
from tests.upstream.server import Page

from .harness import Scene


def test_projects_that_cannot_be_read_cost_nothing_else(scene: Scene) -> None:
    scene.deploy(2)
    scene.repository()
    make.empty(scene.server.root / "empty.git")
    scene.server.passing["one.git"] = [Page(502)]
    done = scene.run("missing", "one", "empty")
    assert done.code != 0
    for claim in (scene.sandbox_claim(0), scene.worker_claim(0), scene.sandbox_claim(1), scene.worker_claim(1)):
        assert done.actions()[claim] == {"one": "add", "missing": "failed", "empty": "failed"}
        assert "not found" in done.project(claim, "missing")["error"]
        assert done.project(claim, "empty")["remedy"] == "Push something to it, or leave it out of the list."
    assert "Check the URL." in done.text and f"{scene.url('empty')} is an empty repository" in done.text
    assert [line.split()[1:3] for line in done.result["summary"][1:4]] == [["one", "add"], ["missing", "failed"], ["empty", "failed"]]
    scene.check()


def test_a_project_that_cannot_be_read_any_more_stays_where_it_is(scene: Scene) -> None:
    scene.deploy()
    scene.repository()
    scene.repository("two")
    scene.succeed("one", "two")
    scene.server.pages["one.git"] = Page(404)
    make.commit(scene.server.root / "two.git", "main", 1)
    for arguments in (("--check",), ()):
        done = scene.run("one", "two", arguments=arguments)
        assert done.code != 0
        assert done.actions()[scene.worker_claim()]["one"] == "failed"
        assert "Not listed" not in done.text
    assert done.actions()[scene.sandbox_claim()]["two"] == "update"
    del scene.server.pages["one.git"]
    scene.check("one", "two")


def test_projects_that_cannot_be_read_in_a_pod_cost_nothing_else(scene: Scene) -> None:
    scene.deploy()
    scene.repository()
    scene.server.passing["one.git"] = [Page(503), Page(429, {"Retry-After": "1"})]
    done = scene.run("missing", "one", resolve_from="pod")
    assert done.code != 0
    assert done.actions()[scene.worker_claim()] == {"one": "add", "missing": "failed"}
    assert "could not be read from pod" in done.project(scene.worker_claim(), "missing")["error"]
    scene.check()
