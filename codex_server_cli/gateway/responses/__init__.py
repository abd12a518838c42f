"""OpenAI's Responses API, over the same threads and turns as chat completions."""
