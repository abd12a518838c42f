#!/usr/bin/env bash
# The one definition of "clean": format, lint, types, tests. Owns .build/, which may be deleted at any time.
#
# Usage: ./test.sh [--full | --judges] [PYTEST ARGUMENTS...]
#   (none)    everyday: one codex version, one case of each kind, a tenth of the examples; several at a time
#   --full    all but the judges, every case, both codex versions, the floors of coverage: what .ci/run does
#   --judges  storms, the page in a browser, and suites that others wrote: before a release
# Needs Python 3.11 or newer; --full and --judges fetch a second codex version with npm, and the suites with pip; as root
# of a Debian they install what is missing: zsh and fish, or Chromium. Tests that lack something skip, and say what.
# Every check runs whatever the ones before it said; the exit code is the first failure's, the last line pytest's.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
# Some images set it. Thousands of interpreters are started here, and each would compile all that it imports.
unset PYTHONDONTWRITEBYTECODE

readonly venv=.build/venv
readonly judges=.build/judges
readonly npm_codex=@openai/codex@0.171.0
readonly npm_folder=.build/npm-${npm_codex##*@}

find_python() {
    local name
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        # Run it: a pyenv shim is on PATH even where it cannot run, and a system's own may lack ensurepip.
        if "$name" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            echo "$name"
            return
        fi
    done
    echo "test.sh: no Python 3.11 or newer with venv and ensurepip was found on PATH" >&2
    return 1
}

# Made anew when pyproject.toml or the place of this checkout changes; the stamp comes last.
make_environment() {
    local python stamp
    stamp="$PWD $(cksum <pyproject.toml)"
    if [[ -f $venv/.stamp && $(<"$venv/.stamp") == "$stamp" ]] && "$venv/bin/python" -c ''; then
        return
    fi
    python=$(find_python)
    echo "Making the test environment in $venv."
    rm -rf "$venv"
    "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check --editable '.[codex,dev]'
    echo "$stamp" >"$venv/.stamp"
}

# The lines of an extra of pyproject.toml.
extra() {
    "$venv/bin/python" - "$1" <<'END'
import sys
import tomllib
with open("pyproject.toml", "rb") as file:
    print(*tomllib.load(file)["project"]["optional-dependencies"][sys.argv[1]], sep="\n")
END
}

# What drives a browser is large, and the judges alone want it.
add_browser_driver() {
    "$venv/bin/python" -c 'import playwright' 2>/dev/null && return
    extra browser >"$venv/browser.txt"
    "$venv/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check -r "$venv/browser.txt"
}

# Beside the making of the environment, and before the tests, as a shell that comes in mid-run would be tried half installed.
install_programs() {
    local missing=()
    if [[ $mode == full ]]; then
        command -v zsh >/dev/null || missing+=(zsh)
        command -v fish >/dev/null || missing+=(fish)
    else
        command -v chromium >/dev/null || command -v google-chrome >/dev/null || missing+=(chromium)
    fi
    if [[ ${#missing[@]} == 0 || $EUID != 0 ]] || ! command -v apt-get >/dev/null; then
        return 0
    fi
    echo "Installing ${missing[*]}."
    export DEBIAN_FRONTEND=noninteractive
    {
        apt-get -qq update
        apt-get -qq -o DPkg::Lock::Timeout=300 install --yes --no-install-recommends "${missing[@]}"
    } </dev/null >/dev/null 2>&1 || echo "test.sh: not installed: ${missing[*]}" >&2
}

# The suites that others wrote, in an environment of their own: they pin what the gateway is used with (websockets), and
# bring pytest plugins that no other test should meet. The environment of the tests lies below it. tests/kit/judges.py knows the place.
make_judges() {
    local stamp below sdist
    stamp="$PWD $(cksum <pyproject.toml)"
    if [[ -f $judges/.stamp && $(<"$judges/.stamp") == "$stamp" ]] && "$judges/bin/python" -c ''; then
        return
    fi
    echo "Fetching the suites of others into $judges."
    rm -rf "$judges"
    "$venv/bin/python" -m venv --without-pip "$judges"
    below=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    echo "import site; site.addsitedir('$below')" >"$(echo "$judges"/lib/python3*/site-packages)/below.pth"
    extra judges >"$judges/wanted.txt"
    "$judges/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check -r "$judges/wanted.txt"
    # The official client's own tests are in its source distribution alone.
    sdist=openai==$("$venv/bin/python" -c 'import importlib.metadata; print(importlib.metadata.version("openai"))')
    "$judges/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --no-binary openai \
        --dest "$judges/sdist" "$sdist"
    tar -xzf "$judges"/sdist/openai-*.tar.gz -C "$judges/sdist" --strip-components=1
    echo "$stamp" >"$judges/.stamp"
}

npm_binary() {
    local path
    for path in "$npm_folder"/node_modules/@openai/codex-*/vendor/*/bin/codex; do
        [[ -x $path ]] && echo "$PWD/$path" && return
    done
    return 1
}

# Beside the making of the environment.
fetch_second_codex() {
    if npm_binary >/dev/null || ! command -v npm >/dev/null; then
        return
    fi
    echo "Fetching $npm_codex into $npm_folder."
    npm install --prefix "$npm_folder" --no-save --no-package-lock --ignore-scripts --no-audit --no-fund \
        --loglevel=error "$npm_codex" </dev/null || true
}

# The clients for node, ahead of the tests, whose time it would be otherwise.
fetch_node_clients() {
    "$venv/bin/python" -c 'from tests.kit.node_clients import fetch; fetch()'
}

# tests/kit/support.py reads the variable; the tests that want a second version skip themselves without it.
find_second_codex() {
    if ! CODEX_SERVER_TEST_NPM_CODEX=$(npm_binary); then
        echo "No npm, or no binary of it for this machine: the tests with $npm_codex are skipped."
        return
    fi
    export CODEX_SERVER_TEST_NPM_CODEX
}

first_failure=0
check() {
    local code=0
    "$venv/bin/python" -m "$@" || code=$?
    [[ $first_failure != 0 ]] || first_failure=$code
}

# What looks at the text alone. Its lines come at once when it has ended, between those of the tests beside it.
check_text() {
    check ruff format --check .
    check ruff check .
    check mypy
    exit "$first_failure"
}

wait_for_text() {
    local code=0
    [[ -n ${text_job:-} ]] || return 0
    wait "$text_job" || code=$?
    text_job=
    [[ $first_failure != 0 ]] || first_failure=$code
}

mode=everyday
case ${1:-} in
    --full | --judges)
        mode=${1#--}
        shift
        ;;
esac

if [[ $mode != everyday ]]; then
    fetch_second_codex &
    fetch_job=$!
    install_programs &
    programs_job=$!
fi
make_environment
check_text &
text_job=$!
if [[ $mode != everyday ]]; then
    fetch_node_clients &
    node_job=$!
    [[ $mode == full ]] || add_browser_driver || echo "test.sh: no driver for a browser" >&2
    make_judges &
    wait $! || { echo "test.sh: no suites of others" >&2 && first_failure=1; }
    wait "$node_job" || { echo "test.sh: no clients for node" >&2 && first_failure=1; }
    wait "$fetch_job" "$programs_job"
    find_second_codex
fi
# A whole run goes on for longer than they do; of a short one they would have the last word, and storms are measured.
[[ $# == 0 && $mode != judges ]] || wait_for_text
case $mode in
    # A turn waits more than it computes: two tests for each processor.
    everyday)
        check pytest -n "$((2 * $(nproc)))" --dist worksteal --hypothesis-profile=everyday -m "not judge and not full" "$@"
        ;;
    full) check pytest -n "$((2 * $(nproc)))" --dist worksteal -m "not judge" "$@" ;;
    judges) check pytest -n "$((2 * $(nproc)))" --dist worksteal -m judge "$@" ;;
esac
wait_for_text
exit "$first_failure"
