#!/bin/sh
# Names everything that the demo and the tests need and this machine lacks, with the command that installs it, before anything is downloaded.
# As root on Debian, it installs the packages. $1 is `cluster` if the embedded cluster will run.
python=${PYTHON:-python3} needs=$1
look() {
    missing=
    for word in git:git rsync:rsync unshare:util-linux setpriv:util-linux hostname:hostname python3:python3; do
        command -v "${word%:*}" >/dev/null || missing="$missing ${word##*:}"
    done
    # Where the containers of the embedded cluster look for it: a user's PATH on Debian lacks /usr/sbin.
    [ "$needs" != cluster ] || PATH=/usr/sbin:/usr/bin:/sbin:/bin command -v pivot_root >/dev/null || missing="$missing util-linux-extra"
    [ "$python" != python3 ] || python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
    missing=$(printf '%s\n' $missing | sort -u | tr '\n' ' ')
}
said=
say() { printf '%s\n' "$1" >&2; said=1; }
case $PWD in
    *[[:space:]:\'\"\$]*) say "The path of this checkout is $PWD, and make and PATH take no blank, colon, quote or dollar in it. Move it to another path." ;;
esac
look
if [ -n "${missing# }" ] && [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "installs Debian packages: $missing"
    # shellcheck disable=SC2086
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
    look
fi
[ -z "${missing# }" ] || say "Missing on this machine: ${missing% }. Install it, as root: apt install $missing(Fedora: dnf install git hostname make python3 rsync util-linux)"
if ! command -v "$python" >/dev/null; then
    [ "$python" = python3 ] || say "There is no $python. Install it, or name another one: make PYTHON=python3.12 …"
elif ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
    say "$python is $("$python" --version 2>&1), and 3.10 or newer is needed. Name another one: make PYTHON=python3.12 …"
elif [ "$python" != python3 ] && ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    say "$python can make no environments: its modules ensurepip and venv are missing."
elif [ "$needs" = cluster ] && command -v unshare >/dev/null; then
    words=$(PYTHONDONTWRITEBYTECODE=1 "$python" -m tests.embedded_cluster --check 2>&1) || say "$words"
fi
[ -z "$said" ]
