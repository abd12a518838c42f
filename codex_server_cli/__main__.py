"""`python -m codex_server_cli`: the same as `codex-server`."""

from codex_server_cli.cli.entry import main

if __name__ == "__main__":
    main()
