"""The HTTP interfaces: the API, which asks for the token, and the page, which answers one peer."""
