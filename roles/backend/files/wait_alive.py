"""Wait until a backend answers on its unix socket: wait_alive.py SOCKET HOST SCHEME PATH.

Ends with 0 at the first answer 200. systemd's TimeoutStartSec ends it otherwise, and its last line in the journal says
why.
"""

import http.client
import socket
import sys
import time


def ask(path_of_socket: str, host: str, scheme: str, path: str) -> str:
    """Return what is wrong with the answer to one request, or an empty string."""
    connection = http.client.HTTPConnection(host, timeout=5)
    connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.sock.settimeout(5)
    try:
        connection.sock.connect(path_of_socket)
        connection.request("GET", path, headers={"X-Forwarded-Proto": scheme, "Connection": "close"})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        connection.close()
    return "" if status == http.client.OK else f"status {status}"


def main() -> None:
    """Ask until the answer is right. Says what is wrong whenever that changes."""
    path_of_socket, host, scheme, path = sys.argv[1:]
    said = ""
    while wrong := ask(path_of_socket, host, scheme, path):
        if wrong != said:
            print(f"not alive yet: GET {path} on {path_of_socket}: {wrong}", file=sys.stderr, flush=True)
            said = wrong
        time.sleep(0.1)


if __name__ == "__main__":
    main()
