#!/usr/bin/env python3
"""Something else that listens where the sidecar should: garbage, half answers, silence.

    fake.py SOCKET BEHAVIOUR UID      listens as another user

As a module it is a thread of the rig.
"""

import os
import pathlib
import socket
import sys
import threading
import time

ALLOW = (
    b'{"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"allow",'
    b'"permissionDecisionReason":"toolgate: allowed"}}'
)
CHUNK = b"x" * 65536


def reply(code=0, stdout=ALLOW, stderr=b""):
    return b"toolgate/1 %d %d %d\n" % (code, len(stdout), len(stderr)) + stdout + stderr


# What is sent before the connection is closed.
SAYS = {
    "allow": reply(),
    "garbage": bytes(range(256)) * 4,
    "nothing": b"",
    "json-without-head": ALLOW,
    "http": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
    "half": reply()[:60],
    "half-a-head": b"toolgate/1 0 1",
    "too-much": reply() + b"\n",
    "two-replies": reply() + reply(),
    "deny-then-allow": reply(2, b"", b"no") + reply(),
    "code-1": reply(1),
    "code-3": reply(3),
    "code-256": reply(256),
    "another-version": reply().replace(b"toolgate/1", b"toolgate/2"),
    "negative-length": b"toolgate/1 0 -1 1\n" + ALLOW,
    "text-for-an-answer": reply(stdout=b"allowed"),
    "log-before-the-answer": reply(stdout=b"a log line\n" + ALLOW),
    "two-answers": reply(stdout=ALLOW + b"\n" + ALLOW),
    "async-answer": reply(stdout=b'{"async":true}'),
}
# These are whole and in time: the guard says yes.
YES = ("allow", "slow")
# What does not end by itself.
LASTS = ("silence", "half-then-silence", "drip", "late", "endless", "deaf")


class Fake:
    """A listener that behaves so with every connection, until it is ended; `after` is how it
    behaves with what is no PreToolUse."""

    def __init__(self, path, behaviour, deadline_s=2.0, uid=None, after=None):
        self.behaviour = behaviour
        self.after = after or behaviour
        self.deadline_s = deadline_s
        self.over = threading.Event()
        pathlib.Path(path).unlink(missing_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        if uid is not None:
            os.setresuid(uid, uid, uid)
        # Who listens is who called this.
        self.listener.listen(64)

    def start(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def end(self):
        self.over.set()
        self.listener.close()

    def accept(self):
        while not self.over.is_set():
            try:
                stream, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=[stream], daemon=True).start()

    def serve(self, stream):
        try:
            with stream:
                if self.behaviour == "deaf":
                    self.over.wait()
                before = b'"PreToolUse"' in read_request(stream)
                self.answer(stream, self.behaviour if before else self.after)
        except OSError:
            return

    def answer(self, stream, behaviour):
        if behaviour in SAYS:
            stream.sendall(SAYS[behaviour])
        elif behaviour == "slow":
            self.over.wait(self.deadline_s / 6)
            stream.sendall(reply())
        elif behaviour == "endless":
            stream.sendall(b"toolgate/1 0 99999999999 0\n")
            while not self.over.is_set():
                stream.sendall(CHUNK)
        elif behaviour == "late":
            if not self.over.wait(self.deadline_s + 1):
                stream.sendall(reply())
        elif behaviour == "drip":
            self.drip(stream)
        else:
            stream.sendall(reply()[:60] if behaviour == "half-then-silence" else b"")
            self.over.wait()

    def drip(self, stream):
        """A whole answer, a byte at a time, which takes longer than the deadline."""
        answer = reply()
        for byte in answer:
            stream.sendall(bytes([byte]))
            if self.over.wait((self.deadline_s + 1) / len(answer)):
                return


def read_request(stream):
    """The head, and as many bytes as it says, which are returned."""
    data = b""
    while b"\n" not in data:
        data += must(stream.recv(65536))
    head, _, rest = data.partition(b"\n")
    length = int(head.split()[2])
    while len(rest) < length:
        rest += must(stream.recv(65536))
    return rest


def must(data):
    if not data:
        raise ConnectionError("it hung up")
    return data


if __name__ == "__main__":
    fake = Fake(sys.argv[1], sys.argv[2], uid=int(sys.argv[3])).start()
    print("listening", flush=True)
    while True:
        time.sleep(60)
