# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The meaning of a failed fetch: recorded words of git, and what follows from them."""

from __future__ import annotations

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.git.fetch_errors import OutOfReach, SnapshotGone, explained_fetch
from ansible_collections.packit.deployment.plugins.module_utils.shell import Completed

URL = "https://example.org/x.git"


def error(stderr: str, code: int = 128) -> Exception:
    return explained_fetch(URL, "pod w/seed", Completed(("git", "fetch"), code, b"", stderr))


@pytest.mark.parametrize(
    "words",
    [
        f"fatal: remote error: upload-pack: not our ref {'a' * 40}",
        f"error: Server does not allow request for unadvertised object {'a' * 40}",
    ],
)
def test_only_gits_two_messages_mean_that_the_snapshot_is_stale(words: str) -> None:
    assert isinstance(error(words), SnapshotGone)
    assert not isinstance(error("fatal: remote error: not our ref"), SnapshotGone)


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        ("fatal: unable to access 'https://example.org/x.git/': Could not resolve host: example.org", "Check the host name."),
        (
            "fatal: unable to access 'https://example.org/x.git/': Failed to connect to example.org port 443",
            "The cluster cannot reach upstream.",
        ),
        ("fatal: could not read Username for 'https://example.org': terminal prompts disabled", "Upstream wants credentials"),
        (
            "fatal: https://example.org/x.git/info/refs not valid: could not determine hash algorithm; is this a git repository?",
            "Check the URL in",
        ),
        (
            "fatal: unable to update url base from redirection:\n  asked for: https://example.org/x.git/info/refs?service=git-upload-pack\n"
            "   redirect: https://example.org/login?token=SECRET\n",
            "If that is a login page, upstream wants credentials",
        ),
        ("server certificate verification failed. CAfile: none", "The image does not know upstream's certificate authority."),
    ],
)
def test_what_the_controller_may_still_be_able_to_read_is_told_apart(words: str, remedy: str) -> None:
    found = error(words)
    assert isinstance(found, OutOfReach)
    assert found.remedy.startswith(remedy)


@pytest.mark.parametrize(
    ("words", "code", "remedy"),
    [
        ("fatal: repository 'https://example.org/x.git/' not found", 128, "Check the URL."),
        ("error: https://example.org/x.git did not send all necessary objects", 1, "Something is missing in upstream's own repository"),
        ("fatal: write error: No space left on device", 128, "Grow the claim"),
        ("", 137, "option `filler.resources.limits.memory`; a seed pod's: option `seed.resources.limits.memory`). Or use option `method: rsync`."),
        ("sh: git: command not found", 127, "Use an image with git"),
        ("fatal: something new", 128, "Try `git ls-remote` with this URL by hand in the same place."),
    ],
)
def test_other_failures_say_what_to_do(words: str, code: int, remedy: str) -> None:
    found = error(words, code)
    assert not isinstance(found, (OutOfReach, SnapshotGone))
    assert remedy in str(found)


def test_a_place_that_upstream_redirects_to_is_named_without_what_may_be_secret() -> None:
    words = (
        "warning: redirecting to https://u:PW@example.org/login/x.git/?token=SECRET\nfatal: https://example.org/login/info/refs not valid"
    )
    assert str(error(words)).startswith(
        "https://example.org/x.git redirects to https://***@example.org/login/x.git/?***, where no git repository answers, as seen from pod w/seed."
    )


def test_progress_is_no_reason() -> None:
    assert "Receiving" not in str(error("Receiving objects:  10% (1/10)\rfatal: the remote end hung up unexpectedly"))


def test_what_the_other_side_counts_takes_no_line_from_what_tells() -> None:
    words = (
        f"Receiving objects:  36% (14/37)\rerror: object {'a' * 40}: zeroPaddedFilemode: contains zero-padded file modes\n"
        "fatal: fsck error in packed object\nremote: Total 37 (delta 5), reused 0 (delta 0), pack-reused 0\nfatal: fetch-pack: invalid index-pack output\n"
    )
    assert "zeroPaddedFilemode: contains" in str(error(words))
    assert "remote: Total" not in str(error(words))
