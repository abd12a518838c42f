"""ENV: the environment and `config.json`, as frozen values. Owns reading `os.environ`; must never write a file."""
