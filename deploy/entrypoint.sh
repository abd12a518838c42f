#!/bin/sh
# Process of the container: `serve [FLAGS]`, else any command (`codex-server login --device`, `codex-server list-turns`).
# `healthcheck` exits with 0 if the running gateway can answer.
#
# Off loopback `serve` needs a token in a file that only we can read. CODEX_SERVER_TOKEN_SOURCE names a mounted one (a
# secret may be readable by a group); without it a random token is made, once, in /data/token.

set -eu
umask 077

data=${CODEX_SERVER_DATA:-/data}
token=$data/token

prepare() {
    mkdir -p "$CODEX_HOME" "$CODEX_SERVER_HOME"
    if [ -n "${CODEX_SERVER_TOKEN_SOURCE:-}" ]; then
        # Written beside it, then renamed: there is never a partial token.
        if ! cat "$CODEX_SERVER_TOKEN_SOURCE" >"$token.new" || [ "$(tr -d '[:space:]' <"$token.new" | wc -c)" -lt 32 ]; then
            rm -f "$token.new"
            echo "entrypoint: $CODEX_SERVER_TOKEN_SOURCE has no token of 32 bytes or more" >&2
            exit 65
        fi
        mv "$token.new" "$token"
    elif [ ! -e "$token" ]; then
        codex-server server token "$token" >/dev/null
        echo "entrypoint: a new token is in $token" >&2
    fi
}

# The turns end with the container: they are cancelled first, which keeps their partial answers.
stop() {
    trap '' TERM INT
    codex-server cancel --all >/dev/null || :
    kill -TERM "$child" 2>/dev/null || :
}

# Whether its app-server answers; for an address of all interfaces loopback is used.
is_healthy() {
    listen=${CODEX_SERVER_LISTEN:-0.0.0.0:8787}
    case $listen in
    0.0.0.0:* | :*) listen=127.0.0.1:${listen##*:} ;;
    '[::]':*) listen="[::1]:${listen##*:}" ;;
    esac
    exec python3 -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=4)' "http://$listen/readyz"
}

if [ "${1:-}" = healthcheck ]; then
    is_healthy
fi
case ${1:--} in
-*) set -- serve "$@" ;; # flags alone are those of serve
esac
if [ "$1" != serve ]; then
    exec "$@"
fi
shift
prepare
trap stop TERM INT
codex-server serve --listen "${CODEX_SERVER_LISTEN:-0.0.0.0:8787}" --token-file "$token" --cwd "${CODEX_SERVER_PROJECT:-/project}" "$@" &
child=$!
# The signal ends the first wait, the end of serve the second one.
wait "$child" && code=0 || code=$?
while kill -0 "$child" 2>/dev/null; do
    wait "$child" && code=0 || code=$?
done
exit "$code"
