"""The examples of `--help`: for each verb two commands that work verbatim, each with a description.

Must only be imported by `cli.help`: a start without help does not need them.
"""

from __future__ import annotations

from typing import Final

Examples = tuple[tuple[str, str], ...]

EXAMPLES: Final[dict[str, Examples]] = {
    "": (
        ("Start a turn, and watch it; Ctrl-C leaves it running.", 'new "Explain this repository" -f'),
        ("Read its answer again, from any shell.", "answer last"),
    ),
    "new": (
        ("Start a turn, and watch it; Ctrl-C leaves it running.", 'new "Explain this repository" -f'),
        ("Let it write here, and ask you about all else.", 'new "Fix the tests" --write --approval ask'),
    ),
    "continue": (
        ("Ask more, in the newest thread of this directory.", 'continue "Shorter, please" -f'),
        ("Try another way from the same point.", 'continue --turn last --fork "Try it without a loop"'),
    ),
    "review": (
        ("Review what is not committed yet.", "review -f"),
        ("Review what this branch adds to main.", "review --base main -f"),
    ),
    "chat": (
        ("Converse, and let it write here.", "chat --write"),
        ("Go on where the last conversation of this directory ended.", "chat --last"),
    ),
    "tail": (
        ("Follow the newest turn of this directory to its end.", "tail last -f"),
        ("Follow what happens to all turns.", "tail --all -f"),
    ),
    "wait": (
        ("Sleep until the newest turn has ended, for at most 5 minutes.", "wait last --timeout 5m"),
        ("Come back as soon as it needs you, too.", "wait last --until attention"),
    ),
    "status": (
        ("Where every turn stands that runs.", "status"),
        ("Where the newest turn of this directory stands.", "status last"),
    ),
    "answer": (
        ("The answer of the newest turn of this directory.", "answer last"),
        ("Its beginning.", "answer last --max-chars 500"),
    ),
    "diff": (
        ("What the newest turn has changed.", "diff last"),
        ("How much, file by file.", "diff last --stat"),
    ),
    "list-turns": (
        ("The newest turns of this directory.", "list-turns --cwd ."),
        ("Those of the last day that failed.", "list-turns --since 1d --state failed"),
    ),
    "list": (
        ("The newest threads of this directory.", "list --cwd ."),
        ("Those whose first prompt speaks of tests.", "list --search tests"),
    ),
    "show": (
        ("The newest turn: its facts, and what it did.", "show last"),
        ("With more of what it did.", "show last -n 50"),
    ),
    "watch": (
        ("The turns of this directory.", "watch --cwd ."),
        ("Those that run, from everywhere.", "watch --state running"),
    ),
    "cancel": (
        ("Interrupt the newest turn of this directory.", "cancel last"),
        ("Interrupt all that run in this directory.", "cancel --all --cwd ."),
    ),
    "recover": (
        ("What Codex has of the newest turn that we have not.", "recover last"),
        ("The same of the newest turn of another directory.", "recover last --cwd .."),
    ),
    "apply": (
        ("Bring what the newest turn did in its worktree into your files.", "apply last"),
        ("The same of a turn that was started in another directory.", "apply last --cwd .."),
    ),
    "pending": (
        ("Everything that waits for you, with the commands that answer it.", "pending"),
        ("What the newest turn of this directory waits for.", "pending last"),
    ),
    "approve": (
        ("Allow what the turn named fix asks for.", "approve fix"),
        ("Allow it, and the same again for the rest of that turn.", "approve fix --session"),
    ),
    "decline": (
        ("Refuse what the turn named fix asks for.", "decline fix"),
        ("Refuse what the newest turn of this directory asks for.", "decline last"),
    ),
    "reply": (
        ("Answer the only question of the turn named fix.", 'reply fix --answer "The second one"'),
        ("Answer two questions by their ids.", "reply fix -a language=Python -a tests=yes"),
    ),
    "steer": (
        ("Tell the newest turn something while it works.", 'steer last "Leave the docs alone"'),
        ("Tell it what is in a file.", "steer last --file notes.txt"),
    ),
    "login": (
        ("Log in with a browser on this machine.", "login"),
        ("Log in with a browser elsewhere, by a code.", "login --device"),
    ),
    "logout": (
        ("Forget the login.", "logout"),
        ("See who is logged in, before.", "account"),
    ),
    "account": (
        ("Who is logged in.", "account"),
        ("Renew the token first, to see whether it still can be.", "account --refresh"),
    ),
    "limits": (
        ("How much of the usage limits is left.", "limits"),
        ("The same, for a program.", "limits --json"),
    ),
    "models": (
        ("The models to choose from.", "models"),
        ("The hidden ones, too.", "models --all"),
    ),
    "setup": (
        ("Prepare everything; nothing that is there is overwritten.", "setup"),
        ("See then whether all is well.", "doctor"),
    ),
    "doctor": (
        ("See what is missing, and how to get it.", "doctor"),
        ("The same, for a program.", "doctor --json"),
    ),
    "gc": (
        ("See what would be deleted.", "gc --dry-run"),
        ("Delete what ended more than a day ago.", "gc --older-than 1d"),
    ),
    "usage": (
        ("What turns have used in the last 30 days, model by model.", "usage --since 30d --by model"),
        ("The last 7 days, directory by directory.", "usage --by cwd"),
    ),
    "demo": (
        ("See a whole turn, without a login.", "demo"),
        ("Keep its directory, to look into it.", "demo --keep"),
    ),
    "version": (
        ("Ours and that of codex.", "version"),
        ("Ours alone.", "--version"),
    ),
    "server": (
        ("Whether the shared server runs, and what it does.", "server status"),
        ("Stop it, once its turns have ended.", "server stop"),
    ),
    "server start": (
        ("Start the shared server, before a turn needs it.", "server start"),
        ("Start one at a TCP port of this machine, too.", "server start --listen ws://127.0.0.1:4500"),
    ),
    "server stop": (
        ("Stop it, once its turns have ended.", "server stop"),
        ("Stop it at once: its turns are cancelled.", "server stop --now"),
    ),
    "server restart": (
        ("Use a codex that was updated, for the turns from now on.", "server restart"),
        ("See both servers.", "server status"),
    ),
    "server status": (
        ("Whether it runs, and what it does.", "server status"),
        ("The same, for a program.", "server status --json"),
    ),
    "server logs": (
        ("What it said last.", "server logs -n 20"),
        ("What it says from now on.", "server logs -f"),
    ),
    "server token": (
        ("Make a token.", "server token token.txt"),
        (
            "Use it.",
            "server start --listen ws://0.0.0.0:4500 --ws-auth capability-token --ws-token-file token.txt",
        ),
    ),
    "remote": (
        ("Let a device use the shared server.", "remote enable"),
        ("Pair it, by a short code.", "remote pair --manual-code --wait"),
    ),
    "remote enable": (
        ("Let paired devices use the shared server.", "remote enable"),
        ("Pair one.", "remote pair"),
    ),
    "remote disable": (
        ("Let no device use it any more.", "remote disable"),
        ("See that it is off.", "remote status"),
    ),
    "remote status": (
        ("Whether it is on.", "remote status"),
        ("Each change, too, until Ctrl-C.", "remote status --follow"),
    ),
    "remote pair": (
        ("A code to scan.", "remote pair"),
        ("A short code to type in; wait until it was.", "remote pair --manual-code --wait --timeout 10m"),
    ),
    "remote clients": (
        ("The devices that are paired.", "remote clients"),
        ("The same, for a program.", "remote clients --json"),
    ),
    "remote revoke": (
        ("Unpair a device, by its name.", 'remote revoke "My phone"'),
        ("See what is left.", "remote clients"),
    ),
    "rpc": (
        ("Which models an app-server of its own lists.", "rpc model/list"),
        ("Which threads the shared one has loaded.", "rpc thread/loaded/list --server shared"),
    ),
    "proxy": (
        ("Speak with an app-server of its own.", "proxy"),
        ("Speak with the shared one.", "proxy --server shared"),
    ),
    "serve": (
        ("Serve this directory, at 127.0.0.1:8787.", "serve --cwd ."),
        ("Try what the logged-in model can do. Costs tokens.", "serve --selftest"),
    ),
}
"""By verb, by group, and for the program itself by ""."""
