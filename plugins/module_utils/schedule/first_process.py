# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first process of a scheduled run's container."""

from __future__ import annotations

UPSTREAM = "/upstream"
"""The directory of the Secret with the credentials of upstreams and with secret variables."""
TRUSTED_CA = "/trusted-ca/ca-bundle.crt"
"""The bundle of trusted certificates, under the name that OpenShift gives it."""

# The kernel ignores TERM for a first process that does not expect it, ansible-playbook ends before its module has removed its pods, and a
# container ends with its first process. So this one is not Ansible: it hands TERM on, and then waits until no process is left.
_SCRIPT = f"""
if [ -e {UPSTREAM}/netrc ]; then ln -s {UPSTREAM}/netrc "$HOME/.netrc"; fi
if [ -e {UPSTREAM}/ssh-privatekey ]; then
    export GIT_SSH_COMMAND='ssh -i {UPSTREAM}/ssh-privatekey -o UserKnownHostsFile={UPSTREAM}/known_hosts -o BatchMode=yes'
fi
if [ -e {UPSTREAM}/variables.yml ]; then set -- "$@" -e @{UPSTREAM}/variables.yml; fi
run= stopped=
stop() {{ stopped=yes; [ -z "$run" ] || kill -TERM "$run"; }}
trap stop TERM
"$@" &
run=$!
[ -z "$stopped" ] || stop
wait "$run"
code=$?
while [ -n "$stopped" ] && kill -0 -1 2>/dev/null; do sleep 0.2; done
exit "$code"
"""


def argv(command: list[str]) -> list[str]:
    """Return the argv that runs a command, and on TERM gives it and all below it the time to end."""
    return ["sh", "-c", _SCRIPT, "schedule", *command]
