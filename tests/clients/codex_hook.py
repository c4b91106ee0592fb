#!/usr/bin/env python3
"""A hook that does what a table says for the call it is asked about: the canaries' fixture.

    codex_hook.py TABLE

TABLE is a JSON file: for each case what its hook does. The case is named by `case-ID`, anywhere in
the event's input or prompt. Every event goes to `TABLE.events.jsonl`. What a hook does is a dict:

    print   parts of standard output, in order        exit     the exit code (0)
    stderr  standard error                            signal   the signal that ends it
    hang    prints, and never ends                    once     only the first time
"""

import json
import os
import pathlib
import re
import signal
import sys
import time

CASE = re.compile(r"case-([a-z0-9-]+)")


def main():
    table = pathlib.Path(sys.argv[1])
    event = json.loads(sys.stdin.buffer.read())
    note(table, event)
    said = json.dumps([event.get("tool_input"), event.get("prompt")])
    found = CASE.search(said)
    rows = json.loads(table.read_text())
    behave(table, rows.get(f"{event['hook_event_name']}:{found[1] if found else ''}", {}))


def behave(table, does):
    done = table.with_suffix(".once")
    if does.get("once") and done.exists():
        return
    done.touch()
    sys.stderr.write(does.get("stderr", ""))
    sys.stderr.flush()
    sys.stdout.buffer.write("".join(does.get("print", [])).encode())
    sys.stdout.buffer.flush()
    while does.get("hang"):
        time.sleep(1)
    if "signal" in does:
        os.kill(os.getpid(), getattr(signal, f"SIG{does['signal']}"))
    sys.exit(does.get("exit", 0))


def note(table, event):
    """One write, so that hooks that run side by side do not mix their lines."""
    with open(f"{table}.events.jsonl", "ab", buffering=0) as lines:
        lines.write(json.dumps(event).encode() + b"\n")


if __name__ == "__main__":
    main()
