#!/usr/bin/env python3
"""Speaks to the hook socket as anyone with the agent's user can: the agent's own commands do.

    talk.py SOCKET FILE     sends each line of FILE as an event, and prints each answer's head
"""

import pathlib
import socket
import sys

ANSWER_WAIT_S = 20


def event(path, payload):
    """Sends one event; returns all that is answered."""
    with socket.socket(socket.AF_UNIX) as stream:
        stream.settimeout(ANSWER_WAIT_S)
        stream.connect(str(path))
        stream.sendall(b"toolgate/1 claude %d\n" % len(payload) + payload)
        answer = b""
        while chunk := stream.recv(65536):
            answer += chunk
        return answer


if __name__ == "__main__":
    for line in pathlib.Path(sys.argv[2]).read_bytes().splitlines():
        print(event(sys.argv[1], line).splitlines()[0].decode())
