"""What every scenario of the topology rig needs: a report, processes it owns, and patience.

Nothing here knows of containers or of Claude Code. Whatever is started is stopped by its own
process id; nothing waits without a limit.
"""

import contextlib
import json
import pathlib
import shutil
import subprocess
import sys
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent

READY_WAIT_S = 20.0
STOP_WAIT_S = 15.0
TOOL_WAIT_S = 60.0
POLL_S = 0.05


class RigError(Exception):
    """The rig itself could not go on; says what was missing."""


class Report:
    """One printed line for each assertion, and the two counts."""

    def __init__(self):
        self.passed = 0
        self.failed = 0

    def check(self, name, holds, otherwise=""):
        """Records one assertion; `otherwise` says what was seen instead."""
        if holds:
            self.passed += 1
            print(f"ok    {name}", flush=True)
        else:
            self.failed += 1
            print(f"FAIL  {name}: {shorten(otherwise)}", flush=True)


class Child:
    """A process the rig owns, with its output in a file."""

    def __init__(self, name, argv, directory, **options):
        self.name = name
        self.log = directory / f"{name}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(word) for word in argv],
                stdin=subprocess.DEVNULL,
                stdout=options.pop("stdout", log),
                stderr=log,
                **options,
            )

    def text(self):
        return self.log.read_text(errors="replace")

    def stop(self):
        """Asks it to end, then makes it; returns its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(STOP_WAIT_S)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        return self.process.wait()


class Model:
    """The scripted model of `model.py`, its gates and its transcript."""

    def __init__(self, directory, script):
        self.gates = directory / "gates"
        self.bodies = directory / "bodies"
        self.transcript = directory / "transcript.jsonl"
        for folder in (self.gates, self.bodies):
            folder.mkdir()
        (directory / "script.json").write_text(json.dumps(script, indent=1))
        argv = [sys.executable, HERE / "model.py", "--script", directory / "script.json"]
        argv += ["--transcript", self.transcript, "--bodies", self.bodies, "--gates", self.gates]
        self.child = Child("model", argv, directory)
        ready = "listening on 127.0.0.1:"
        wait_for("the model", lambda: ready in self.child.text(), self.child.process)
        self.port = int(self.child.text().split(ready)[1].split()[0])

    def events(self, kind):
        """The transcript's events of one kind; a line still being written is left for later."""
        whole = self.transcript.read_text().rpartition("\n")[0]
        events = [json.loads(line) for line in whole.splitlines()]
        return [event for event in events if event["event"] == kind]

    def result(self, number, index=0):
        """What the model was told of a call: (is_error, content), or None for nothing."""
        wanted = f"toolu_topology_{number:03}_{index:02}"
        for event in self.events("tool_result"):
            if event["tool_use_id"] == wanted:
                return event["is_error"], event["content"]
        return None

    def waits_at(self, gate):
        return any(event["gate"] == gate for event in self.events("waiting"))

    def open(self, gate):
        (self.gates / gate).touch()

    def saw(self, text):
        """Whether any request to the model, in any of its parts, held this text."""
        return any(text.encode() in body.read_bytes() for body in self.bodies.iterdir())


def wait_for(what, condition, process=None, seconds=READY_WAIT_S):
    """Waits until the condition holds; a process that ends first is an error at once."""
    patience = time.monotonic() + seconds
    while not condition():
        if process is not None and process.poll() is not None and not condition():
            raise RigError(f"{what}: ended with exit code {process.returncode}")
        if time.monotonic() > patience:
            raise RigError(f"{what}: not there after {seconds:.0f} s")
        time.sleep(POLL_S)


def run(argv, text="", **options):
    """Runs a short command to its end; returns (exit code, stdout, stderr)."""
    done = subprocess.run(
        [str(word) for word in argv],
        input=text,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=options.pop("timeout", TOOL_WAIT_S),
        **options,
    )
    return done.returncode, done.stdout, done.stderr


@contextlib.contextmanager
def scratch(path, keep):
    """A fresh directory, removed at the end unless it is to be kept."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        if keep:
            print(f"kept  {path}")
        else:
            shutil.rmtree(path, ignore_errors=True)


def shorten(value):
    text = " ".join(str(value).split())
    return text if len(text) <= 400 else text[:400] + " ..."
