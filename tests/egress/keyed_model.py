#!/usr/bin/env python3
"""The scripted model of the topology rig, for whoever has the key: others are told so, and nothing.

    keyed_model.py KEY ARGUMENTS...      the arguments of `model.py`
"""

import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "topology"))

import model

KEY = sys.argv.pop(1)


class Handler(model.Handler):
    """Takes one key, in one header, and nothing else by which a client proves who it is."""

    def do_POST(self):
        said = [self.headers.get_all(name) or [] for name in ("x-api-key", "authorization")]
        if said != [[KEY], []]:
            self.server.transcript.write(event="stranger", path=self.path)
            return self.send(401, model.error_body("authentication_error", "this is not the key"))
        super().do_POST()


model.Handler = Handler
model.main()
