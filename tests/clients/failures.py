"""Every way in which toolgate's own parts fail, under the real client.

In each state a Bash and a Write call are refused, nothing of them happens, and the Stop event,
which fails too, forces no further turn.
"""

import contextlib
import functools
import os
import signal
import sys
import threading

import fake
import namespace
import rig
import scene
import script
import sidecar
import talk

STRANGER_UID = 65534
POLL_S = 0.01
BIG = 4_800_000


def scenes():
    yield scene.Scene("ours.sidecar", sidecar_states)
    yield scene.Scene("ours.after", killed_after_the_call)
    yield scene.Scene("ours.disk", out_of_disk)
    yield scene.Scene("ours.disk-after", out_of_disk_after_the_call)
    yield scene.Scene("ours.file-size", file_size_limit)
    for behaviour in fake.LASTS:
        yield scene.Scene(f"ours.answer.{behaviour}", fakes(behaviour))
    yield scene.Scene("ours.answer", fakes(*fake.SAYS, "slow"))
    yield scene.Scene("ours.answer-after", fakes_after_the_call)
    yield scene.Scene("ours.stranger", stranger)
    yield scene.Scene("ours.server-uid", wrong_uid)
    yield scene.Scene("ours.hook-killed", hook_killed)
    yield scene.Scene("ours.hook-deadline", hook_deadline)
    yield scene.Scene("ours.hook-gone", hook_gone)
    yield scene.Scene("ours.hook-memory", hook_memory)


class Calls:
    """A Bash and a Write call in the state of the moment, one prompt for each state."""

    def __init__(self, place, session, check):
        self.place = place
        self.session = session
        self.check = check

    def play(self, name, act=None):
        work = self.place.work
        self.place.model.script(
            name,
            script.turn(script.bash(f"touch {name}-bash"), act=act),
            script.turn(script.write(work / f"{name}-write")),
        )
        result = self.session.play(name)
        turns = result.get("num_turns")
        self.check(f"{name}.no-further-turn", turns == 3, f"{turns} turns: {result}")
        self.check(f"{name}.session-ends-well", result["subtype"] == "success", result)

    def blocked(self, name, act=None, because=""):
        self.play(name, act)
        for number, tool in enumerate(("bash", "write")):
            told = self.place.model.result(name, number)
            ran = self.place.there(f"{name}-{tool}")
            good = told and told[0] and because in told[1] and not ran
            self.check(f"{name}.{tool}-does-not-run", good, f"ran: {ran}; the model saw: {told}")

    def runs(self, name, act=None):
        self.play(name, act)
        for number, tool in enumerate(("bash", "write")):
            told = self.place.model.result(name, number)
            ran = self.place.there(f"{name}-{tool}")
            self.check(f"{name}.{tool}-runs", ran and told and not told[0], f"{ran}, {told}")


def sidecar_states(place, check):
    """One session through the life of a sidecar."""
    guard = sidecar.Sidecar(place)
    calls = Calls(place, place.session(settings=guard.settings()), check)
    calls.blocked("absent", because="cannot be reached")
    guard.start()
    calls.runs("alive")
    guard.freeze()
    calls.blocked("hung", because="in time")
    guard.thaw()
    calls.runs("alive-again")
    with Watch(guard, functools.partial(kill_when_asked, guard)):
        # It hangs with the call in its hands, and then dies.
        calls.blocked("killed-during", act=guard.freeze)
    told = place.model.result("killed-during")
    was_asked = "cannot be reached" not in told[1]
    check("killed-during.was-asked", was_asked, told)
    calls.blocked("killed-before", because="cannot be reached")
    guard.start()
    calls.runs("restarted")
    guard.socket.unlink()
    calls.blocked("socket-deleted", because="cannot be reached")
    guard.socket.write_text("")
    calls.blocked("socket-is-a-file", because="cannot be reached")
    guard.socket.unlink()
    guard.socket.mkdir()
    calls.blocked("socket-is-a-directory", because="cannot be reached")
    guard.socket.rmdir()
    guard.socket.symlink_to(guard.socket)
    calls.blocked("socket-is-a-loop", because="cannot be reached")
    guard.socket.unlink()


class Watch:
    """Does something to each hook client as soon as it is there, while the block lasts."""

    def __init__(self, guard, act):
        self.guard = guard
        self.act = act
        self.over = threading.Event()
        self.seen = set()

    def __enter__(self):
        self.thread = threading.Thread(target=self.look, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def look(self):
        while not self.over.wait(POLL_S):
            for pid in set(self.guard.hook_pids()) - self.seen:
                self.seen.add(pid)
                self.act(pid)


def kill_when_asked(guard, pid):
    if guard.child.process.poll() is None:
        rig.wait_for("the hook client's question", lambda: guard.connections() > 0)
        guard.kill()


def killed_after_the_call(place, check):
    """The call was allowed and runs; when it is over, there is nobody to show its output to."""
    guard = sidecar.Sidecar(place).start()
    session = place.session(settings=guard.settings())
    told = fifo_call(place, session, guard.kill, "SECRET-after")
    check("output-is-withheld", told and "SECRET-after" not in told[1], told)
    check("model-never-saw-it", not place.model.saw("SECRET-after"), "it is in a request")


def fifo_call(place, session, act, text):
    """A `cat` of a pipe: `act` happens while it runs, then it prints the text."""
    pipe = place.work / "pipe"
    os.mkfifo(pipe)

    def feed():
        with pipe.open("w") as end:
            act()
            end.write(text)

    threading.Thread(target=feed, daemon=True).start()
    place.model.script("pipe", script.turn(script.bash("cat pipe")))
    session.play("pipe")
    return place.model.result("pipe")


class SmallDisk:
    """A sidecar whose log is on a small disk of its own, which can be filled."""

    def __init__(self, place):
        audit = place.directory / "audit"
        self.guard = sidecar.Sidecar(place, namespace.small_disk(audit, "256k")).start()
        # `unshare` becomes `sh`, which becomes the sidecar: one process id.
        self.disk = f"/proc/{self.guard.child.process.pid}/root{audit}"

    def fill(self):
        """Not a page is left, and what room the log's last page has is spent by noise."""
        with open(f"{self.disk}/filler", "ab", buffering=0) as filler:
            for size in (65536, 4096, 1):
                with contextlib.suppress(OSError):
                    while True:
                        filler.write(b"x" * size)
        rig.wait_for("the log's failure", self.noise_fails, self.guard.child.process)

    def noise_fails(self):
        talk.event(self.guard.socket, b"noise")
        return "the audit log failed" in self.guard.child.text()


def out_of_disk(place, check):
    small = SmallDisk(place)
    calls = Calls(place, place.session(settings=small.guard.settings()), check)
    calls.runs("before")
    small.fill()
    calls.blocked("full", because="could not be written")
    calls.blocked("still-full", because="could not be written")
    lives = small.guard.child.process.poll() is None
    check("sidecar-lives", lives, small.guard.child.text()[-300:])


def out_of_disk_after_the_call(place, check):
    small = SmallDisk(place)
    session = place.session(settings=small.guard.settings())
    told = fifo_call(place, session, small.fill, "SECRET-full")
    check("output-is-withheld", told and "SECRET-full" not in told[1], told)
    check("model-never-saw-it", not place.model.saw("SECRET-full"), "it is in a request")


def file_size_limit(place, check):
    """No file of the log may grow, nor a new one: a signal, or an error, at the next record."""
    guard = sidecar.Sidecar(place).start()
    calls = Calls(place, place.session(settings=guard.settings()), check)
    calls.runs("before")
    rig.run(["prlimit", "--pid", guard.child.process.pid, "--fsize=1"])
    calls.blocked("at-the-limit")


def fakes(*behaviours):
    """A play in which these stand in the sidecar's place, one after another."""

    def play(place, check):
        guard = sidecar.Sidecar(place)
        calls = Calls(place, place.session(settings=guard.settings()), check)
        for behaviour in behaviours:
            seconds = sidecar.DEADLINE_MS / 1000
            listener = fake.Fake(guard.socket, behaviour, seconds).start()
            try:
                (calls.runs if behaviour in fake.YES else calls.blocked)(behaviour)
            finally:
                listener.end()

    return play


def fakes_after_the_call(place, check):
    """Before the call the answer is a yes; after it, when there is an output, it is senseless."""
    guard = sidecar.Sidecar(place)
    session = place.session(settings=guard.settings())
    for behaviour in (*fake.SAYS, "silence"):
        listener = fake.Fake(guard.socket, "allow", after=behaviour).start()
        secret = f"SECRET-{behaviour}"
        (place.work / behaviour).write_text(secret)
        place.model.script(f"after-{behaviour}", script.turn(script.bash(f"cat {behaviour}")))
        try:
            result = session.play(f"after-{behaviour}")
        finally:
            listener.end()
        told = place.model.result(f"after-{behaviour}")
        check(f"{behaviour}.output-is-withheld", not place.model.saw(secret), told)
        check(f"{behaviour}.no-further-turn", result.get("num_turns") == 2, result)


def stranger(place, check):
    """Another user's process has the socket, and says yes to everything."""
    guard = sidecar.Sidecar(place)
    argv = [sys.executable, sidecar.HERE / "fake.py", guard.socket, "allow", STRANGER_UID]
    child = rig.Child("stranger", argv, place.directory)
    place.at_end(child.kill)
    rig.wait_for("the stranger", lambda: "listening" in child.text(), child.process)
    calls = Calls(place, place.session(settings=guard.settings()), check)
    calls.blocked("refused", because="another user")
    believed = guard.settings(uid=STRANGER_UID)
    # So that it is its user, and nothing else, for which it was refused.
    Calls(place, place.session(settings=believed), check).runs("by-its-own-uid")


def wrong_uid(place, check):
    """The sidecar is well, but is not the user that the wiring wants."""
    guard = sidecar.Sidecar(place).start()
    session = place.session(settings=guard.settings(uid=12345))
    Calls(place, session, check).blocked("wrong", because="another user")
    check("nothing-was-said", not guard.records("--kind", "tool.pre"), "it was told of the calls")


def hook_killed(place, check):
    """The hook client dies while it waits for an answer; `onFailure: block` must hold."""
    guard = sidecar.Sidecar(place).start()
    calls = Calls(place, place.session(settings=guard.settings()), check)
    calls.runs("alive")
    guard.freeze()
    for name in ("KILL", "TERM", "SEGV"):
        killer = lambda pid: os.kill(pid, getattr(signal, f"SIG{name}"))
        with Watch(guard, killer) as watch:
            calls.blocked(f"by-sig{name.lower()}")
        check(f"by-sig{name.lower()}.was-killed", len(watch.seen) >= 2, watch.seen)


def hook_deadline(place, check):
    """A deadline that is over before anything was asked."""
    guard = sidecar.Sidecar(place).start()
    session = place.session(settings=guard.settings(deadline_ms=0))
    Calls(place, session, check).blocked("passed", because="time")


def hook_gone(place, check):
    """The client's file is not there, cannot be executed, or is no program."""
    guard = sidecar.Sidecar(place).start()
    for name, content, mode in (("none", None, 0), ("text", "no", 0o755), ("mode", "", 0o644)):
        file = place.directory / f"hook-{name}"
        if content is not None:
            file.write_text(content)
            file.chmod(mode)
        session = place.session(settings=guard.settings(command=file))
        Calls(place, session, check).blocked(name)


def hook_memory(place, check):
    """The client has little memory: it may fail, but it fails closed, large events too."""
    guard = sidecar.Sidecar(place).start()
    limit = place.directory / "limit"
    wrapper = place.directory / "wrapper"
    wrapper.write_text(
        f'#!/bin/sh\nexec prlimit --as=$(cat {limit}) {guard.toolgate} "$@"\n'
    )
    wrapper.chmod(0o755)
    session = place.session(settings=guard.settings(command=wrapper))
    outside = place.directory / "outside"
    outside.mkdir()
    for kib in (1024, 8192, 12288, 16384, 32768):
        limit.write_text(str(kib * 1024))
        name = f"{kib}-kib"
        place.model.script(
            name,
            script.turn(script.bash(f"touch forbidden-{kib}")),
            script.turn(script.write(outside / f"{kib}", "x" * BIG)),
        )
        result = session.play(name)
        for number, ran in enumerate(
            (place.there(f"forbidden-{kib}"), (outside / f"{kib}").exists())
        ):
            told = place.model.result(name, number)
            what = ("denied-call", "denied-large-call")[number]
            check(f"{name}.{what}", told and told[0] and not ran, f"ran: {ran}, {told}")
        check(f"{name}.no-further-turn", result.get("num_turns") == 3, result)
