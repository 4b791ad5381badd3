#!/bin/sh
# Finds what the demo and the tests need of this machine and lack, and names all of it with the commands that bring it, before anything is downloaded. As
# root on Debian, installs the packages. $1 `cluster` where the embedded cluster is to run, too.
python=${PYTHON:-python3}
missing=
for word in git:git rsync:rsync unshare:util-linux setpriv:util-linux "$python:python3"; do
    command -v "${word%:*}" >/dev/null || missing="$missing ${word##*:}"
done
"$python" -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
missing=$(printf '%s\n' $missing | sort -u | tr '\n' ' ')
if [ -n "${missing# }" ] && [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "installs Debian packages: $missing"
    # shellcheck disable=SC2086
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null && missing=
fi
said=
say() { printf '%s\n' "$1" >&2; said=1; }
[ -z "${missing# }" ] || say "Missing on this machine: ${missing% }. Install it, as root: apt install $missing(Fedora: dnf install git rsync util-linux python3)"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || ! command -v "$python" >/dev/null ||
    say "$python is $("$python" --version 2>&1), and 3.10 or newer is needed. Name another one: make PYTHON=python3.12 …"
if [ "$1" = cluster ] && command -v unshare >/dev/null; then
    words=$(PYTHONDONTWRITEBYTECODE=1 "$python" -m tests.embedded_cluster --check 2>&1) || say "$words"
fi
[ -z "$said" ]
