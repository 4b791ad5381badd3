# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The meaning of rsync's exit codes and words: whose fault a failure is, and what is told of it."""

from __future__ import annotations

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.over_network import seed_lost
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.rsync import explained
from ansible_collections.packit.deployment.plugins.module_utils.shell import Completed

OF_THE_GENERATOR = "rsync: connection unexpectedly closed (56 bytes received so far) [generator]"


@pytest.mark.parametrize(
    ("code", "words", "lost"),
    [
        (12, "rsync: connection unexpectedly closed (77 bytes received so far) [receiver]", True),
        (12, "rsync: connection unexpectedly closed (77 bytes received so far) [receiver]\n" + OF_THE_GENERATOR, True),
        (12, OF_THE_GENERATOR, False),
        (10, "rsync: [generator] write error: Broken pipe (32)\nrsync error: error in socket IO (code 10) [generator=3.5.0]", True),
        (20, "rsync error: received SIGINT, SIGTERM, or SIGHUP (code 20) at io.c(586) [sender=3.5.0]", True),
        (5, "@ERROR: chdir failed", True),
        (24, 'file has vanished: "/one/pack-1.pack" (in packs)', True),
        (23, 'rsync: [sender] change_dir "one" (in packs) failed: No such file or directory (2)', True),
        (23, 'rsync: [receiver] mkstemp "/mnt/c/.pack-1.pack.x" failed: Permission denied (13)', False),
        (11, 'rsync: [receiver] write failed on "/mnt/c/pack-1.pack": No space left on device (28)', False),
        (137, "", False),
        (0, "", False),
    ],
)
def test_what_is_the_seeds_fault_and_what_the_volumes(code: int, words: str, lost: bool) -> None:
    assert seed_lost(Completed(("rsync",), code, b"", words)) is lost


@pytest.mark.parametrize(
    ("code", "printed", "words", "remedy"),
    [
        (
            11,
            '     21,350,000  10%   21.35MB/s    0:00:08  rsync: [receiver] write failed on "/mnt/p": No space left on device (28)\n'
            "rsync error: error in file IO (code 11) at receiver.c(380) [receiver=3.5.0]\n"
            "rsync: connection unexpectedly closed (30 bytes received so far) [generator]\n"
            "rsync error: error in rsync protocol data stream (code 12) at io.c(285) [generator=3.5.0]\n"
            "rsync: [sender] write error: Broken pipe (32)\nrsync error: error in socket IO (code 10) at io.c(949) [sender=3.5.0]\n",
            'rsync to pod s/f ended with code 11 (error in file I/O (no space left, or no permission)): rsync: [receiver] write failed on "/mnt/p"',
            "Grow the volume",
        ),
        (23, " 1.50M 100%  2.00GB/s  0:00:00 (xfr#1, to-chk=0/3)\rrsync: [sender] x failed\n", "): rsync: [sender] x failed", "Run again."),
        (-9, "", "ended with code -9 (ended by signal 9 on this machine): it printed nothing", "Run again."),
    ],
)
def test_rsyncs_first_words_are_told_even_where_they_stand_behind_its_progress(code: int, printed: str, words: str, remedy: str) -> None:
    error = explained(Completed(("rsync",), code, b"", printed), "to pod s/f")
    assert words in error.message and "%" not in error.message
    assert error.remedy.startswith(remedy)
