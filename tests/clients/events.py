"""The canaries of claude.toml's section 1.4: what the client does with answers to other events."""

import functools
import json
import sys

import behaviour
import scene
import script

SHOWN = "what the command printed"


def scenes():
    for row in behaviour.table()["event"]:
        for on_failure in behaviour.SETTINGS:
            name = f"client.event.{row['id']}.{on_failure}"
            yield scene.Scene(name, functools.partial(play, row, on_failure))


def play(row, on_failure, place, check):
    table = place.directory / "table.json"
    table.write_text(json.dumps({row["event"]: [row["hook"]]}))
    handler = {
        "type": "command",
        "command": sys.executable,
        "args": [str(behaviour.FIXTURES / "hook.py"), str(table), "0"],
        "timeout": behaviour.HOOK_TIMEOUT_S,
        "onFailure": on_failure,
    }
    settings = {"hooks": {row["event"]: [{"matcher": "*", "hooks": [handler]}]}}
    # Written apart, so that the call itself does not hold what the model is to be shown.
    first, last = SHOWN.split(" ", 1)
    end = "; false" if row.get("fails") else ""
    command = f"touch ran; printf '%s %s' {first} '{last}'{end}"
    place.model.script("event", script.turn(script.bash(command)))
    session = place.session(settings=settings, mode=row.get("mode", "bypassPermissions"))
    result = session.play("event")
    seen = {
        "ran": place.there("ran"),
        "shown": place.model.saw(SHOWN),
        "turns": result.get("num_turns"),
        "subtype": result.get("subtype"),
        "terminal": result.get("terminal_reason"),
    }
    for name, wanted in row[on_failure].items():
        check(name, seen[name] == wanted, f"{seen[name]}, not {wanted}: {seen}")
