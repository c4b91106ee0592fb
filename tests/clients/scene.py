"""Scenes: what is played side by side, each in a scratch directory of its own, and what it claims.

A scene's `play(place, check)` may make many claims; `check(id, holds, otherwise)` records one under
the scene's name. A claim with `pending` is about something that is not built yet: it is told, and
counts as skipped until it holds.
"""

import concurrent.futures
import dataclasses
import fnmatch
import itertools
import os
import subprocess
import threading
import time
import traceback
from collections.abc import Callable

import rig
import session

# The client takes about one core while it starts; the rest is waiting.
SIDE_BY_SIDE = 3
# Short names: a socket's path may have 108 bytes.
NUMBERS = itertools.count(1)
# What goes wrong in a scene and is no fault of the rig's own text.
FAULTS = (rig.RigError, OSError, LookupError, ValueError, TypeError, subprocess.SubprocessError)


@dataclasses.dataclass
class Scene:
    """One scratch directory, and a name that stands before that of each claim."""

    name: str
    play: Callable


class Report(rig.Report):
    """The counts and lines of all scenes, from several threads."""

    def __init__(self, only):
        super().__init__()
        self.only = only
        self.skipped = 0
        self.failures = []
        self.lock = threading.Lock()

    def wants(self, name):
        """Whether a scene is to be played: a pattern may name it, or a claim of it."""
        only = self.only
        return only is None or fnmatch.fnmatch(name, f"*{only}*") or only.startswith(f"{name}.")

    def check(self, name, holds, otherwise="", pending=None):
        only = self.only
        if only and name != "rig" and not fnmatch.fnmatch(name, f"*{only}*"):
            return
        with self.lock:
            if pending and not holds:
                self.skipped += 1
                print(f"pend  {name}: {pending}: {rig.shorten(otherwise)}", flush=True)
                return
            super().check(name, holds, otherwise)
            if not holds:
                self.failures.append(name)

    def skip(self, name, why):
        """A row that does not apply is told, never left out in silence."""
        with self.lock:
            self.skipped += 1
            print(f"n/a   {name}: {why}", flush=True)


def play_all(scenes, tools, base, report, keep):
    """Plays the scenes that are wanted; what goes wrong in one is its failure alone."""
    wanted = [scene for scene in scenes if report.wants(scene.name)]
    with concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        turns = [pool.submit(play, scene, tools, base, report, keep) for scene in wanted]
        for turn in concurrent.futures.as_completed(turns):
            turn.result()


def play(scene, tools, base, report, keep):
    began = time.monotonic()
    failed = len(report.failures)
    with rig.scratch(base / f"{next(NUMBERS)}-{os.getpid()}", keep) as directory:

        def check(name, holds, otherwise="", pending=None):
            report.check(f"{scene.name}.{name}", holds, otherwise, pending)

        try:
            with session.Place(tools, directory) as place:
                scene.play(place, check)
                if place.model.errors:
                    raise rig.RigError(f"the model could not answer: {place.model.errors}")
        except FAULTS as error:
            if not isinstance(error, rig.RigError):
                traceback.print_exc()
            report.check(f"{scene.name}.scene", False, error)
        if len(report.failures) > failed:
            print_logs(directory)
    if keep:
        print(f"time  {scene.name}: {time.monotonic() - began:.1f} s", flush=True)


def print_logs(directory):
    """The ends of the logs, for a machine on which nobody can look afterwards."""
    for log in sorted(directory.glob("*.log")):
        for line in log.read_text(errors="replace").splitlines()[-4:]:
            print(f"      {directory.name}/{log.stem}: {line[:300]}")
