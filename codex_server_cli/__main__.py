"""`python -m codex_server_cli`: the same as `codex-server`."""

from codex_server_cli.cli.app import main

if __name__ == "__main__":
    main()
