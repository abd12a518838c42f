#!/bin/sh
# Installs codex-server for one user: a private environment for each version, and one link, replaced atomically.
#
# Owns the layout below and nothing else. Never uses sudo, never edits a shell's start-up files.
#
#   DATA/versions/0.1.0-<hash>/   a complete environment has the file .complete
#   DATA/current                  -> versions/0.1.0-<hash>; workers keep the path they were started from
#   DATA/.lock                    locked (flock) while this script runs
#   BIN/codex-server              -> DATA/current/bin/codex-server

set -eu

usage() {
    cat <<'END'
Usage: ./install.sh [--prefix DIR] [--serve] [--no-demo] [--no-skill]
       ./install.sh --uninstall [--prefix DIR] [--no-skill]

  --prefix DIR   environments in DIR/share/codex-server and the command in DIR/bin
                 (default: ${XDG_DATA_HOME:-~/.local/share}/codex-server and ~/.local/bin)
  --serve        with what `codex-server serve` needs; later runs keep it
  --no-demo      do not end with a demo turn
  --no-skill     leave the Claude skills folder alone
  --uninstall    remove the program and its skill; your turns and your settings stay
END
}

say() { printf '%s\n' "$*"; }

die() { # MESSAGE [EXIT_CODE]
    printf 'install.sh: %s\n' "$1" >&2
    exit "${2:-1}"
}

# --- what to do, and where ---------------------------------------------------------------------------------------

read_options() {
    prefix='' wants_serve=no wants_demo=yes wants_skill=yes action=install
    while [ $# -gt 0 ]; do
        case $1 in
            --prefix) [ $# -gt 1 ] || die "--prefix needs a directory" 64; prefix=$2; shift ;;
            --prefix=*) prefix=${1#*=} ;;
            --serve) wants_serve=yes ;;
            --no-demo) wants_demo=no ;;
            --no-skill) wants_skill=no ;;
            --uninstall) action=uninstall ;;
            -h | --help) usage; exit 0 ;;
            *) usage >&2; die "unknown option: $1" 64 ;;
        esac
        shift
    done
}

find_places() {
    [ -n "${HOME:-}" ] || die "HOME is not set"
    source=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
    if [ -n "$prefix" ]; then
        case $prefix in /*) ;; *) prefix=$PWD/$prefix ;; esac
        data=$prefix/share/codex-server bin=$prefix/bin
    else
        case ${XDG_DATA_HOME:-} in /*) data=$XDG_DATA_HOME ;; *) data=$HOME/.local/share ;; esac
        data=$data/codex-server bin=$HOME/.local/bin
    fi
    link=$bin/codex-server
    skill=${CLAUDE_CONFIG_DIR:-$HOME/.claude}/skills/codex-server
    manifest=$skill/.installed # the files of the skill that are ours, one a line
    home=${CODEX_SERVER_HOME:-$HOME/.codex-server}
}

# --- what is there -----------------------------------------------------------------------------------------------

# Sets $python to one that runs (a pyenv shim may not) and can make environments; otherwise $why says what is wrong.
find_python() {
    python='' why='no Python 3.11 or newer was found on PATH; install one and run this again'
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        path=$(command -v "$name") || continue
        "$path" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || continue
        if "$path" -c 'import ensurepip, venv' >/dev/null 2>&1; then
            python=$path
            return
        fi
        why="$path lacks venv or ensurepip; install them and run this again (Debian, Ubuntu: apt install $name-venv)"
    done
    return 1
}

# Excludes another run. The lock is released when the last process with descriptor 9 ends, even by a kill.
take_lock() {
    mkdir -p "$data"
    exec 9>>"$data/.lock"
    "$python" -I -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)' 2>/dev/null ||
        die "another install.sh is at work in $data; try again when it has ended" 75
}

# The environment's name: the version, and a hash of all its inputs.
name_version() {
    "$python" -I - "$source" "$extras" <<'END'
import hashlib, pathlib, re, sys

root, extras = pathlib.Path(sys.argv[1]), sys.argv[2]
package = root / "codex_server_cli"
files = [path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
digest = hashlib.sha256(extras.encode())
for path in [root / "pyproject.toml", root / "README.md", *sorted(files)]:
    content = path.read_bytes()
    digest.update(f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode() + content)
version = re.search(r'__version__ = "(.+?)"', (package / "__init__.py").read_text(encoding="utf-8"))
print(f"{version[1]}-{digest.hexdigest()[:12]}")
END
}

is_complete() { [ -f "$1/.complete" ] && "$1/bin/codex-server" version </dev/null >/dev/null 2>&1; }

is_our_link() {
    [ -L "$link" ] || return 1
    case $(readlink "$link") in "$data"/*) ;; *) return 1 ;; esac
}

running_commands() {
    if [ -r /proc/self/cmdline ]; then
        cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' '\n'
    else
        ps -A -ww -o args=
    fi
}

# Whether a process was started from this environment. True in doubt: without a list of processes.
is_in_use() {
    case $running in '' | *"/versions/${1##*/}/"*) return 0 ;; esac
    return 1
}

# --- install -----------------------------------------------------------------------------------------------------

cleanup() {
    rm -f "$data/current.new.$$" "$link.new.$$"
    [ -z "$building" ] || rm -rf "$building"
}

# Built in its final place, because an environment cannot be moved; it does not count before .complete exists.
build() {
    say "Building codex-server $name in $environment; this takes up to a minute."
    case $extras in *codex*) say "There is no usable codex on PATH: the package brings one (about 400 MB)." ;; esac
    unset PYTHONHOME PYTHONPATH PIP_PREFIX PIP_REQUIRE_VIRTUALENV PIP_TARGET PIP_USER
    building=$environment
    rm -rf "$environment"
    mkdir -p "${environment%/*}"
    "$python" -I -m venv "$environment" || die "$python could not make an environment in $environment"
    "$environment/bin/python" -I -m pip install --quiet --disable-pip-version-check "$source$extras" </dev/null ||
        die "pip could not install the package (see above); what was installed before is unchanged"
    isolate "$environment/bin/codex-server"
    "$environment/bin/codex-server" version </dev/null >/dev/null ||
        die "the new version does not start (see above); what was installed before is unchanged"
    [ "$wants_serve" = no ] || : >"$environment/.serve"
    : >"$environment/.complete"
    building=''
}

# Makes pip's script ignore PYTHONPATH, PYTHONHOME and the user's site, none of which this environment needs.
isolate() { # SCRIPT
    "$environment/bin/python" -I - "$1" <<'END'
import pathlib, re, sys

script = pathlib.Path(sys.argv[1])
first, rest = script.read_text(encoding="utf-8").split("\n", 1)
if re.fullmatch(r"#!/\S*python\S*", first) and len(first) < 120:  # old kernels truncate longer ones
    first += " -I"
elif first == "#!/bin/sh":  # pip's form for long paths, and paths with a space
    rest = re.sub(r"^('''exec' .*python[0-9.]*\"?) \"\$0\"", r'\1 -I "$0"', rest)
script.write_text(f"{first}\n{rest}", encoding="utf-8")
END
}

# Points the link $2 at $1 atomically; `ln -sf` would leave a moment without it, and only GNU has `mv -T`.
point() {
    ln -s "$1" "$2.new.$$"
    "$python" -I -c 'import os, sys; os.replace(*sys.argv[1:])' "$2.new.$$" "$2"
    say "Linked $2 to $1."
    changed=yes
}

# After the link was replaced: removes older versions, complete or not, except the last one and any that still runs.
remove_old() { # PREVIOUS
    running=$(running_commands)
    for old in "$data"/versions/*; do
        [ -d "$old" ] && [ "$old" != "$environment" ] && [ "$old" != "$data/$1" ] || continue
        if is_in_use "$old"; then
            say "Kept the older ${old##*/}: a turn still runs with it."
        else
            rm -rf "$old"
            say "Removed the older ${old##*/}."
        fi
    done
}

install_skill() {
    if [ -L "$skill" ]; then
        say "Skill: $skill is a link and stays as it is."
    elif [ ! -f "$source/SKILL.md" ]; then
        say "Skill: this checkout has no SKILL.md; left out."
    elif [ -e "$skill/SKILL.md" ] && [ ! -f "$manifest" ]; then
        say "Skill: $skill/SKILL.md is not ours and stays as it is; move it away and run this again to get ours."
    else
        copy_skill
    fi
}

# The list is written before the first copy, so that the next run knows the files of an interrupted one.
copy_skill() {
    # Without the pictures for README, which no agent reads.
    files=$(cd "$source" && find SKILL.md references -type f ! -name '.*' ! -path 'references/pictures/*' | LC_ALL=C sort)
    copied=0
    mkdir -p "$skill"
    if [ ! -f "$manifest" ] || [ "$files" != "$(cat "$manifest")" ]; then
        [ ! -f "$manifest" ] || remove_listed
        printf '%s\n' "$files" >"$manifest"
        changed=yes
    fi
    while IFS= read -r file; do
        cmp -s "$source/$file" "$skill/$file" && continue
        mkdir -p "$(dirname "$skill/$file")"
        cp "$source/$file" "$skill/$file"
        copied=$((copied + 1)) changed=yes
    done <"$manifest"
    [ "$copied" = 0 ] || say "Copied $copied files of the skill to $skill."
}

remove_listed() {
    while IFS= read -r file; do rm -f "$skill/$file"; done <"$manifest"
}

advise_path() {
    first=$(command -v codex-server || :)
    if [ -z "$first" ]; then
        say "$bin is not on PATH. Add this to your shell's start-up file: export PATH=\"$bin:\$PATH\""
    elif [ "$first" != "$link" ]; then
        say "Note: another codex-server comes first on PATH: $first"
    fi
}

do_install() {
    case $(uname -s) in Linux | Darwin) ;; *) die "Linux and macOS only; on Windows use WSL" ;; esac
    [ -f "$source/pyproject.toml" ] || die "run this from a checkout of codex-server; $source is none"
    find_python || die "$why"
    if { [ -e "$link" ] || [ -L "$link" ]; } && ! is_our_link; then
        die "$link is there and not ours; remove it, or choose another place with --prefix"
    fi
    building='' changed=no
    trap cleanup EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 141' PIPE
    trap 'exit 143' TERM
    take_lock
    extras=''
    codex app-server --help </dev/null >/dev/null 2>&1 || extras=codex
    [ ! -e "$data/current/.serve" ] || wants_serve=yes
    [ "$wants_serve" = no ] || extras=${extras:+$extras,}serve
    [ -z "$extras" ] || extras="[$extras]"
    name=$(name_version)
    environment=$data/versions/$name
    is_complete "$environment" || { build; changed=yes; }
    previous=$(readlink "$data/current" || :)
    if [ "$previous" != "versions/$name" ]; then
        point "versions/$name" "$data/current"
        remove_old "$previous"
    fi
    mkdir -p "$bin"
    is_our_link || point "$data/current/bin/codex-server" "$link"
    [ "$wants_skill" = no ] || install_skill
    exec 9>&- # the workers of setup and demo must not inherit the lock
    "$link" setup </dev/null || die "installed, but \`codex-server setup\` failed; run it again when that is mended" $?
    if [ "$wants_demo" = yes ]; then
        "$link" demo </dev/null || die "installed, but the demo turn failed; try \`codex-server doctor\`" $?
    fi
    advise_path
    if [ "$changed" = no ]; then
        say "Nothing to change: codex-server $name was installed already."
    else
        say "Installed codex-server $name. Start with: codex-server new \"your prompt\""
    fi
}

# --- uninstall ---------------------------------------------------------------------------------------------------

remove_skill() {
    if [ -L "$skill" ]; then
        say "Kept $skill: it is a link."
    elif [ -f "$manifest" ]; then
        remove_listed
        rm -f "$manifest"
        find "$skill" -depth -type d -exec rmdir {} + 2>/dev/null || :
        [ ! -d "$skill" ] || say "Kept what is yours in $skill:" "$(ls -A "$skill")"
        say "Removed the skill."
    fi
}

# Whether config.json has only the codex that `setup` pinned. A link always belongs to the user.
is_config_ours() {
    [ -f "$home/config.json" ] && [ ! -L "$home/config.json" ] || return 1
    text=$(tr -d ' \n' <"$home/config.json")
    case $text in '{}') return 0 ;; '{"codex":"'*'"}') text=${text#'{"codex":"'} ;; *) return 1 ;; esac
    case ${text%'"}'} in *'"'*) return 1 ;; esac
}

# Quotes a text as one word for a shell.
quoted() { # TEXT
    told='' rest=$1
    while case $rest in *\'*) ;; *) false ;; esac; do
        told="$told${rest%%\'*}'\\''" rest=${rest#*\'}
    done
    printf "'%s'" "$told$rest"
}

# Deletes what `setup` made; keeps what turns and the user made, and lists it.
tidy_home() {
    ! is_config_ours || rm -f "$home/config.json"
    rm -f "$home/models.json" "$home/codex.json"
    rmdir "$home/turns" "$home" 2>/dev/null || :
    [ -d "$home" ] || return 0
    say "Kept what is yours in $home:" $(ls -A "$home")
    say "To delete that too: rm -r $(quoted "$home")"
}

do_uninstall() {
    if [ -d "$data" ]; then
        if find_python; then take_lock; fi
        running=$(running_commands)
        for old in "$data"/versions/*; do
            ! is_in_use "$old" || die "a turn still runs: \`codex-server cancel\` it, or try again when it has ended" 75
        done
        rm -rf "$data/versions" "$data/current" "$data/.lock"
        rmdir "$data" 2>/dev/null || :
        say "Removed $data."
    fi
    if is_our_link; then
        rm -f "$link"
        say "Removed $link."
    elif [ -e "$link" ] || [ -L "$link" ]; then
        say "Kept $link: it is not ours."
    fi
    [ "$wants_skill" = no ] || remove_skill
    rmdir "${XDG_CACHE_HOME:-$HOME/.cache}/codex-server" "$HOME/Library/Caches/codex-server" 2>/dev/null || : # the demo's
    tidy_home
    say "Uninstalled codex-server."
}

read_options "$@"
find_places
"do_$action"
