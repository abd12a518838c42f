"""FACE: HTTP, for `serve` (extra `serve`). The only package that imports asyncio, starlette and uvicorn."""
