# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the seed pod over the pod network: each filler's rsync asks the seed's rsync daemon, with a secret of its own.

The daemon does not prove who it is. So files are asked for by name, and what they are is proved where they arrive, by what the mirror
itself said of them.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

from ...deadline import Deadline
from ...errors import DeploymentError, PlaceLost
from ...progress import OnLine
from ...redaction import SECRETS
from ...shell import Completed, Shell, checked
from ..domain.packs import files_of
from ..git import scripts
from ..git.pack_maker import FinishedPacks
from ..git.repository import Repository
from .rsync import IDLE_TIMEOUT, RESUMING, connection_lost, explained, persist

PORT = 8730
"""The daemon's. Every pod has an address of its own, so one number does for all."""
MODULE = "packs"
CONNECT_TIMEOUT = 10
_TRIES, _PAUSE = 3, 1.0
_NOT_SERVED = 5
"""rsync's exit code where the daemon did not greet, or would not serve."""
_SENDERS = ("[sender]", "file has vanished")
"""Parts of rsync's words for what went wrong where the packs lie."""
PROBE = "probe"
"""An empty file that is served: whoever can copy it can copy packs."""

# The daemon reads nothing but what is served, knows a user for each place, and listens on the pod's own address. $1 scratch, $2 served
# directory, $3 address, $4 port. The users with their secrets come by standard input, into a file that only this user can read.
_SERVE = r"""
umask 077
mkdir -p -- "$1" "$2" && cat >"$1/secret" || exit 3
if [ -s "$1/rsyncd.pid" ] && kill -0 "$(cat "$1/rsyncd.pid")" 2>/dev/null; then exit 0; fi
rm -f -- "$1/rsyncd.pid"
: >"$2/PROBE"
cat >"$1/rsyncd.conf" <<CONFIGURATION
address = $3
port = $4
use chroot = no
pid file = $1/rsyncd.pid
lock file = $1/rsyncd.lock
log file = $1/rsyncd.log
[MODULE]
path = $2
read only = yes
list = no
auth users = *
secrets file = $1/secret
CONFIGURATION
as=
if [ "$(id -u)" = 0 ]; then  # it would become nobody, who can read nothing of ours
    as='unshare --user --map-user=1 --map-group=1'  # in a user namespace root may be refused to set groups; another user need not
    if setpriv --clear-groups true 2>/dev/null || ! $as true 2>/dev/null; then
        as=
        printf 'uid = 0\ngid = 0\n' >>"$1/rsyncd.conf"
    fi
fi
$as rsync --daemon --config="$1/rsyncd.conf" || exit $?
looks=0
while [ "$looks" -lt 300 ]; do  # half a minute: a seed's node may be busy
    [ -s "$1/rsyncd.pid" ] && exit 0
    sleep 0.1
    looks=$((looks + 1))
done
cat "$1/rsyncd.log" >&2
exit 4
""".replace("PROBE", PROBE).replace("MODULE", MODULE)

# $1 and $2 files for the secret and for names of files, which come by standard input, the secret in the first line; then the argv.
# Progress goes where it can be read while it runs.
_WITH_SECRET = r"""
umask 077
secret=$1 names=$2
shift 2
mkdir -p -- "${secret%/*}" && IFS= read -r word && printf '%s\n' "$word" >"$secret" && cat >"$names" || exit 3
umask 022
"$@" >&2
code=$?
rm -f -- "$secret" "$names"
exit $code
"""


class SeedLost(PlaceLost):
    """A copy failed by the seed's fault, and not by that of the place that copied."""


@dataclass(frozen=True)
class Key:
    """The secret that opens a run's seeds to one place."""

    user: str
    secret: str = field(repr=False)


def new_key(user: str) -> Key:
    """A key that nobody has yet, and that no text of ours shows."""
    key = Key(user, secrets.token_urlsafe(32))
    SECRETS.add(key.secret)
    return key


@dataclass(frozen=True)
class Route:
    """The address at which a seed serves its packs. ``served`` is the first seed's directory of packs, by which they are named; others may have it
    elsewhere."""

    address: str
    served: str
    port: int = PORT

    def url(self, user: str, path: str = "") -> str:
        """A file or directory below what is served, as a user asks for it."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"rsync://{user}@{host}:{self.port}/{MODULE}/{path}"


def serve(shell: Shell, scratch: str, directory: str, route: Route, keys: Iterable[Key], deadline: Deadline) -> None:
    """Start a seed's daemon over ``directory``, unless it runs. Raises CommandFailed with the daemon's own words."""
    argv = ("sh", "-c", _SERVE, "packit-seed", scratch, directory, route.address, str(route.port))
    checked(
        shell,
        shell.run(argv, deadline=deadline, stdin="".join(f"{key.user}:{key.secret}\n" for key in keys).encode()),
        "Use an image with rsync (option `image`).",
    )


def probe(shell: Shell, scratch: str, route: Route, key: Key, deadline: Deadline) -> str:
    """Try to copy the probe to this place: empty where that went well, else why not."""
    argv = (f"--contimeout={CONNECT_TIMEOUT}", f"--timeout={CONNECT_TIMEOUT}", "--", route.url(key.user), f"{scratch}/")
    completed = _rsync(shell, scratch, key, (PROBE,), argv, deadline)
    return "" if completed.returncode == 0 else explained(completed, _way(route, shell)).message


class NetworkTransport:
    """Copies packs that lie in a seed to a volume, on the filler's own initiative."""

    def __init__(self, route: Route, key: Key) -> None:
        self._route = route
        self._key = key

    def prepare(self, packs: FinishedPacks, deadline: Deadline) -> None:
        """Do nothing: all of it is done while the volume is held."""

    def copy(self, packs: FinishedPacks, repository: Repository, deadline: Deadline, progress: OnLine | None) -> None:
        """See ``Transport``."""
        copy_packs(
            repository.shell, repository.scratch, self._route, self._key, packs, scripts.OPEN, deadline, progress, repository.quarantined()
        )


def copy_packs(
    shell: Shell,
    scratch: str,
    route: Route,
    key: Key,
    packs: FinishedPacks,
    to: str,
    deadline: Deadline,
    progress: OnLine | None = None,
    within: tuple[str, ...] = (),
) -> None:
    """Have a place copy packs that a seed serves into its directory ``to``; ``within``: the beginning of the argv.

    Raises SeedLost, PlaceLost where it is the place itself that was lost, DeploymentError.
    """
    directory = packs.directory.removeprefix(route.served).strip("/")
    names = [f"{directory}/{name}" for name in files_of(packs.names)]
    argv = (
        *RESUMING, f"--timeout={IDLE_TIMEOUT}", f"--contimeout={CONNECT_TIMEOUT}",
        "--info=progress2", "--outbuf=L", "--", route.url(key.user), f"{to}/",
    )  # fmt: skip

    def once() -> Completed:
        return _rsync(shell, scratch, key, names, argv, deadline, progress, within)

    done = persist(once, seed_lost, shell, _TRIES, _PAUSE, deadline)
    if done.returncode:
        raise explained(done, _way(route, shell), SeedLost if seed_lost(done) else DeploymentError)


def seed_lost(completed: Completed) -> bool:
    """Return whether a copy failed by the seed's fault and not by the volume's.

    A daemon that ends in the middle is not only a lost connection: seen with rsync 3.5 were also a missing greeting, a refusal as its
    directory was gone, and a sender whose files were. Pure.
    """
    by_sender = completed.returncode != 0 and any(words in completed.stderr for words in _SENDERS)
    return connection_lost(completed) or completed.returncode == _NOT_SERVED or by_sender


def _way(route: Route, shell: Shell) -> str:
    return f"from the seed at {route.address} to {shell.where}"


def _rsync(
    shell: Shell,
    scratch: str,
    key: Key,
    names: Iterable[str],
    argv: tuple[str, ...],
    deadline: Deadline,
    progress: OnLine | None = None,
    within: tuple[str, ...] = (),
) -> Completed:
    """Have a place copy files of these names, and no others."""
    secret, listed = f"{scratch}/secret", f"{scratch}/names"
    # From the root of what is served: of files below another directory, a daemon of rsync 3.5.0 says that they have vanished.
    words = ("rsync", f"--password-file={secret}", f"--files-from={listed}", "--no-relative", *argv)
    stdin = "".join(f"{line}\n" for line in (key.secret, *names)).encode()
    return shell.run((*within, *scripts.argv(_WITH_SECRET, secret, listed, *words)), deadline=deadline, stdin=stdin, progress=progress)
