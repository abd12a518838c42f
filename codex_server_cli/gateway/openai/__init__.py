"""OpenAI's API: chat completions and models, over the app-server."""
