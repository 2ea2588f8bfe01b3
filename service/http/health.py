"""The question whether a server is ready, asked every few seconds: nothing else is imported."""

from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from longspan.indexer.errors import BadConfig

_TIMEOUT = 4  # seconds; containers give a health check 5


def health(url: str) -> bool:
    """Return whether the server at this URL, such as http://127.0.0.1:8000, is ready.

    It is asked directly, whatever proxy the environment names: a container asks itself.
    BadConfig for what is no such URL.
    """
    kinds = {"http": HTTPConnection, "https": HTTPSConnection}
    try:
        parts = urlsplit(url)
        kind, host, port = kinds[parts.scheme], parts.hostname, parts.port
    except (KeyError, ValueError):
        host = None
    if not host:
        raise BadConfig(f"{url}: no HTTP URL, want one like http://127.0.0.1:8000")
    try:
        with closing(kind(host, port, timeout=_TIMEOUT)) as connection:
            connection.request("GET", f"{parts.path.rstrip('/')}/readyz")
            return int(connection.getresponse().status) == 200
    except (HTTPException, OSError, ValueError):
        return False
