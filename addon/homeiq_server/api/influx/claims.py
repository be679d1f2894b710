"""How InfluxDB's clients show a token: in every way that InfluxDB 1 and 2 know."""

from aiohttp import BasicAuth, web


def claim(request: web.Request) -> str:
    """Return what the client shows for a token, an empty text for nothing; users and their names do not matter."""
    if (password := request.query.get("p")) is not None:
        return password
    header = request.headers.get("Authorization", "")
    scheme, _, credentials = header.partition(" ")
    match scheme.lower():
        case "bearer":
            return credentials.strip()
        case "token":  # of InfluxDB 2; InfluxDB 1.8 takes <user>:<password> for one
            return credentials.strip().rpartition(":")[2]
        case "basic" if "Origin" not in request.headers:  # a browser adds it by itself to whatever another site sends
            return _password(header)
        case _:
            return ""


def _password(header: str) -> str:
    try:
        password: str = BasicAuth.decode(header).password
    except ValueError:
        return ""
    return password
