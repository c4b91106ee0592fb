"""Each permission mode: denied is denied, allowed runs, and a question is a refusal in `-p`."""

import functools

import scene
import script
import sidecar

MODES = ("default", "acceptEdits", "plan", "bypassPermissions", "dontAsk")
# Modes in which the client's own prompt is asked; in the others nobody is there to be asked.
ATTENDED = ("default", "acceptEdits", "plan")
# What changes something stays with the client in plan mode, whatever a hook allows.
CHANGES = ("allowed-bash", "allowed-write", "allowed-edit")


def scenes():
    for mode in MODES:
        yield scene.Scene(f"mode.{mode}", functools.partial(play, mode))


def play(mode, place, check):
    guard = sidecar.Sidecar(place).start()
    outside = place.directory / "outside"
    outside.mkdir()
    (place.work / "seen.txt").write_text("SEEN")
    (outside / "unseen.txt").write_text("UNSEEN")
    (place.work / "edited.txt").write_text("one\n")
    edit = {"file_path": f"{place.work}/edited.txt", "old_string": "one", "new_string": "two"}
    calls = {
        "denied-bash": script.bash("touch forbidden"),
        "denied-write": script.write(outside / "denied-write"),
        "denied-read": script.read(outside / "unseen.txt"),
        "asked-write": script.write(place.work / "ci" / "asked-write"),
        "asked-bash": script.bash("touch ci/asked-bash"),
        "allowed-look": script.bash("ls"),
        "allowed-bash": script.bash("touch allowed-bash"),
        "allowed-write": script.write(place.work / "allowed-write"),
        "allowed-read": script.read(place.work / "seen.txt"),
        "read-before-edit": script.read(place.work / "edited.txt"),
        "allowed-edit": {"name": "Edit", "input": edit},
    }
    (place.work / "ci").mkdir()
    place.model.script("calls", *map(script.turn, calls.values()))
    session = place.session(settings=guard.settings(), mode=mode)
    result = session.play("calls")
    check("session-ends-well", result["subtype"] == "success", result)
    check("mode", session.of_type("system")[0]["permissionMode"] == mode, "another mode")
    changes_held = mode == "plan"
    absent = [place.work / "forbidden", outside / "denied-write", *(place.work / "ci").iterdir()]
    for number, name in enumerate(calls):
        told = place.model.result("calls", number)
        refused = not name.startswith(("allowed", "read")) or (changes_held and name in CHANGES)
        check(f"{name}.{'refused' if refused else 'runs'}", told and told[0] == refused, told)
    there = [str(path) for path in absent if path.exists()]
    check("refused-leaves-nothing", not there, there)
    check("denied-read-is-not-seen", not place.model.saw("UNSEEN"), "it is in a request")
    check("allowed-read-is-seen", place.model.saw("SEEN"), "it is not")
    edited = (place.work / "edited.txt").read_text() == "two\n"
    happened = [place.there("allowed-bash"), place.there("allowed-write"), edited]
    name = "changes-are-held-by-the-client" if changes_held else "allowed-changes-happen"
    check(name, happened == [not changes_held] * 3, happened)
    decisions = [record["decision"] for record in guard.records("--decision", "ask,deny")]
    asked = {"ask"} if mode in ATTENDED else {"deny"}
    said = {str(decision.get("effect", decision)) for decision in decisions[3:5]}
    check(f"log-says-{'ask' if mode in ATTENDED else 'deny'}", said == asked, decisions)
