#!/usr/bin/env python3
"""A hook that does what a table says for the call it is asked about: the canaries' fixture.

    hook.py TABLE INDEX

TABLE is a JSON file; INDEX is which of the hooks of a case this one is. Every event goes to
`TABLE.events.jsonl`. What it does for a case is a dict:

    print   parts of standard output, in order        exit     the exit code (0)
    stderr  standard error                            signal   the signal that ends it
    delay   seconds before it prints                  after    waits until hook number N has ended
    hang    prints, and never ends                    once     only the first time
"""

import json
import os
import pathlib
import re
import signal
import sys
import time

CASE = re.compile(r"touch case-([a-z0-9-]+)$")
POLL_S = 0.02


def main():
    table, index = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    event = json.loads(sys.stdin.buffer.read())
    note(table, {"index": index, "event": event})
    behaviours = json.loads(table.read_text()).get(key(event), [])
    if index < len(behaviours):
        behave(table, index, behaviours[index])


def key(event):
    """A call is known by its command; any other event by its name."""
    if event["hook_event_name"] != "PreToolUse":
        return event["hook_event_name"]
    found = CASE.search(str(event["tool_input"].get("command", "")))
    return found[1] if found else ""


def behave(table, index, does):
    if does.get("once") and (table.parent / f"ended-{index}").exists():
        return
    while "after" in does and not (table.parent / f"ended-{does['after']}").exists():
        time.sleep(POLL_S)
    time.sleep(does.get("delay", 0))
    sys.stderr.write(does.get("stderr", ""))
    sys.stderr.flush()
    sys.stdout.buffer.write("".join(does.get("print", [])).encode())
    sys.stdout.buffer.flush()
    while does.get("hang"):
        time.sleep(1)
    (table.parent / f"ended-{index}").touch()
    if "signal" in does:
        os.kill(os.getpid(), getattr(signal, f"SIG{does['signal']}"))
    sys.exit(does.get("exit", 0))


def note(table, what):
    """One write, so that hooks that run side by side do not mix their lines."""
    with open(f"{table}.events.jsonl", "ab", buffering=0) as lines:
        lines.write(json.dumps(what).encode() + b"\n")


if __name__ == "__main__":
    main()
