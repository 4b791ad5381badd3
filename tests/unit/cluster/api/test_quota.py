# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A quota that is full now is told from one that is too small for ever."""

from __future__ import annotations

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.quota import never_fits

START = 'pods "seed" is forbidden: exceeded quota: compute, '


def test_more_than_the_quota_has_in_all_never_fits() -> None:
    words = START + "requested: limits.ephemeral-storage=4563402752,pods=1, used: limits.ephemeral-storage=0,pods=2, "
    found = never_fits(words + "limited: limits.ephemeral-storage=2Gi,pods=10")
    assert found == ("limits.ephemeral-storage", "4563402752", "2Gi")


def test_a_quota_that_is_full_now_is_waited_for() -> None:
    assert never_fits(START + "requested: limits.memory=256Mi, used: limits.memory=8000Mi, limited: limits.memory=8Gi") is None


def test_other_refusals_say_nothing_of_it() -> None:
    assert never_fits("failed quota: compute: must specify limits.memory") is None
