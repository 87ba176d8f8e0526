#!/usr/bin/env python3
"""hub-node below another root, where no Portage is: `without_portage.py ROOT VERB [ARG...]`, or `... ROOT load-dump ID`.

For tests with parts that are real otherwise, such as a database. What is asked of Portage's module is answered here; a
program `quickpkg` must be on PATH. The verbs are hub-node's own, and the last line is its outcome as JSON. `load-dump` is
what `rollback --with-dump` does with the data, without the package.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from test_hub_node import hub_node


class Portage:
    """What hub-node asks of Portage when it makes a restore point."""

    def is_protected(self) -> Callable[[str], bool]:
        return lambda path: path.startswith("/etc/")

    def features(self) -> set[str]:
        return set()

    def installed_dependencies(self, _: Any) -> list[str]:
        return []


def run(node: Any, verb: str, words: list[str]) -> dict[str, Any]:
    if verb == "load-dump":
        try:
            hub_node.load_dump(node, node.points.get(words[0]))
        except hub_node.Stop as stop:
            return {"result": "failed", "status": stop.status, "code": stop.code, "detail": stop.detail}
        return {"result": "loaded", "status": 0}
    outcome: dict[str, Any] = hub_node.perform(node, hub_node.build_parser().parse_args([verb, *words]))
    return outcome


def main() -> int:
    root, verb, *words = sys.argv[1:]
    # An emerge of another test is none of this node's.
    hub_node.running_emerges = lambda: []
    node = hub_node.Node(hub_node.Paths(Path(root)))
    node.portage = Portage()
    outcome = run(node, verb, words)
    print(json.dumps({**outcome, "warnings": node.warnings}))
    return int(outcome["status"])


if __name__ == "__main__":
    sys.exit(main())
