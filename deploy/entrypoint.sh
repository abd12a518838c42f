#!/bin/sh
# Process of the container: `serve [FLAGS]`, else any command (`codex-server login --device`, `codex-server list-turns`).
# `healthcheck` says by its exit code whether the one that runs can answer.
#
# Off loopback `serve` needs a token in a file of ours alone. CODEX_SERVER_TOKEN_SOURCE names one that is mounted (a
# secret may be readable by a group); without it a random one is made, once, in /data/token.

set -eu
umask 077

data=${CODEX_SERVER_DATA:-/data}
token=$data/token

prepare() {
    mkdir -p "$CODEX_HOME" "$CODEX_SERVER_HOME"
    if [ -n "${CODEX_SERVER_TOKEN_SOURCE:-}" ]; then
        # Beside it, then renamed: at no time is there half of a token.
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

# The container takes its turns with it: they are cancelled first, which keeps what they have said.
stop() {
    trap '' TERM INT
    codex-server cancel --all >/dev/null || :
    kill -TERM "$child" 2>/dev/null || :
}

# Its app-server answers, where it listens: an address for all interfaces is asked on loopback.
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
# The first wait ends with the signal, the second one with serve.
wait "$child" && code=0 || code=$?
while kill -0 "$child" 2>/dev/null; do
    wait "$child" && code=0 || code=$?
done
exit "$code"
