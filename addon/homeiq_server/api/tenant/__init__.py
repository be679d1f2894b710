"""The API of tenants and of their operator: every route is an ``Operation``, from which OpenAPI is made too."""
