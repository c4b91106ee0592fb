"""Codex with a sidecar that is absent, hangs, says nonsense, or dies in mid-session.

Codex runs a call whenever its hook fails, so each of these must end as the exact denial.
"""

import socket
import threading

import codex
import codex_guarded

# Short, where nobody answers at all.
DEADLINE_MS = 2000


def parts():
    """The parts of this file's claims, each a function of a place and a check."""
    yield story
    for name, fail in FAILURES.items():
        yield lambda place, check, name=name, fail=fail: failure(place, check, name, fail)


def story(place, check):
    """One session in which the sidecar lives, is killed, and comes back."""
    sidecar = None

    def killed():
        sidecar.kill()
        return [codex.shell("touch while-dead")]

    def back():
        sidecar.start()
        return [codex.shell("touch afterwards")]

    sidecar, model = codex_guarded.start(place, [codex.shell("touch before")], killed, back)
    with model:
        done = place.home.exec()
    there = [name for name in ("before", "while-dead", "afterwards") if place.home.there(name)]
    check("story.calls", there == ["before", "afterwards"], f"{there}: {model.outputs}")
    check("story.ends-well", done.returncode == 0 and model.end in done.stdout, done.stderr)


def failure(place, check, name, fail):
    """The sidecar fails from the first event on: the prompt, or any call, does not get through."""
    calls = [codex.shell("touch forbidden"), codex.shell("touch allowed")]
    sidecar, model = codex_guarded.start(place, calls, deadline_ms=DEADLINE_MS)
    fail(place, sidecar)
    with model:
        done = place.home.exec()
        check(f"failure.{name}.prompt", not model.bodies, "the model was called")
        check(f"failure.{name}.ends", done.returncode in (0, 1), done.returncode)
        # The same without the event that already stops the session.
        hooks = codex_guarded.wire(sidecar, DEADLINE_MS)
        del hooks["UserPromptSubmit"]
        place.home.configure(model, hooks)
        place.home.exec()
    ran = place.home.there("forbidden") or place.home.there("allowed")
    check(f"failure.{name}.call", not ran and model.outputs, model.outputs)
    told = str(model.outputs)
    check(f"failure.{name}.told", "blocked by PreToolUse hook" in told, told)
    turns = len(model.bodies)
    check(f"failure.{name}.no-forced-turn", turns == 2, f"{turns} requests to the model")


def killed(_place, sidecar):
    sidecar.kill()


def frozen(_place, sidecar):
    sidecar.freeze()


def deleted(_place, sidecar):
    sidecar.socket.unlink()


def answers(*said):
    """A failure: another program sits on the socket, and says this to everyone."""

    def fail(place, sidecar):
        sidecar.kill()
        sidecar.socket.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(sidecar.socket))
        listener.listen()
        place.at_end(listener.close)

        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(1)
                    try:
                        connection.recv(65536)
                        for part in said:
                            connection.sendall(part)
                    except OSError:
                        pass

        threading.Thread(target=serve, daemon=True).start()

    return fail


FAILURES = {
    "killed": killed,
    "frozen": frozen,
    "socket-deleted": deleted,
    "garbage": answers(b"\x00\xff" * 500),
    "text": answers(b"HTTP/1.1 200 OK\r\n\r\n{}"),
    "closes": answers(),
}
