"""`/openapi.json`: what this gateway answers, as an OpenAPI 3.1 document."""
