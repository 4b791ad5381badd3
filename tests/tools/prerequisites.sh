#!/bin/sh
# What the demo and the tests need of the machine. As root on Debian, installs what is missing; else says what to install.
missing=
for word in git:git rsync:rsync unshare:util-linux setpriv:util-linux; do
    command -v "${word%%:*}" >/dev/null || missing="$missing ${word#*:}"
done
"${PYTHON:-python3}" -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "installs Debian packages:$missing"
    # shellcheck disable=SC2086
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null && exit 0
fi
echo "Missing on this machine:$missing. Install them with your package manager (e.g. apt install$missing, dnf install$missing)." >&2
exit 1
