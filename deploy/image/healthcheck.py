"""The image's HEALTHCHECK: 0 if the process of this container says that it is healthy. Standard library only."""

import http.client
import os
import sys

_TIMEOUT = 4


def main() -> int:
    """Ask `/healthz` where this process answers it."""
    host, _, port = os.environ["COUNTERSIGN_HEALTH_BIND"].rpartition(":")
    connection = http.client.HTTPConnection(
        {"0.0.0.0": "127.0.0.1", "[::]": "::1"}.get(host, host.strip("[]")),  # noqa: S104  not to listen there
        int(port),
        timeout=_TIMEOUT,
    )
    connection.request("GET", "/healthz")
    return int(connection.getresponse().status != http.client.OK)


if __name__ == "__main__":
    sys.exit(main())
