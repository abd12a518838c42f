"""`/openapi.json`: the gateway's API, as an OpenAPI 3.1 document."""
