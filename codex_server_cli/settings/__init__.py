"""ENV: the environment and `config.json`, as frozen values. The only reader of `os.environ`; never writes."""
