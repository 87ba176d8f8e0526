"""`hub-node enroll`: which script it runs, and what that is told. Real enrolments are in tests/portage."""

from __future__ import annotations

import io
import os
import sys
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from unittest import mock

import test_hub_node
from test_hub_node import hub_node

TOKEN = "phub_the-enrolment-token-of-this-test"

# Notes what it gets, and ends as the test wants.
SCRIPT = """#!/bin/sh
main() {
	printf '%s|' "$@" >> "$NOTES/words"
	printf '%s|' "${HUB_ENROL_TOKEN-none}" >> "$NOTES/token"
	if [ -e "$NOTES/outcome" ]; then cat "$NOTES/outcome" > "$HUB_ENROL_OUTCOME"; fi
	return "$(cat "$NOTES/status")"
}
main "$@"
"""


class PublicServer:
    """What a hub shows to everybody, by path; a text that begins with http is where it sends elsewhere."""

    def __init__(self, files: dict[str, str]) -> None:
        self.files = files
        self.asked: list[str] = []
        self.headers: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked.append(self.path)
                server.headers.append(str(self.headers))
                text = server.files.get(self.path)
                elsewhere = text is not None and text.startswith("http")
                self.send_response(404 if text is None else 302 if elsewhere else 200)
                if elsewhere:
                    self.send_header("Location", str(text))
                self.end_headers()
                self.wfile.write((text or "").encode())

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()


class EnrollBase(test_hub_node.NodeTest):
    """A hub with a script, whose end the test says."""

    def setUp(self) -> None:
        super().setUp()
        self.server = PublicServer({"/enroll.sh": SCRIPT})
        self.addCleanup(self.server.close)
        self.notes = self.root / "notes"
        self.notes.mkdir()
        self.ends(0, "changed=yes\n")
        environment = mock.patch.dict(os.environ, {"NOTES": str(self.notes)})
        environment.start()
        self.addCleanup(environment.stop)
        os.environ.pop("HUB_ENROL_TOKEN", None)

    def ends(self, status: int, outcome: str | None) -> None:
        (self.notes / "status").write_text(str(status))
        (self.notes / "outcome").unlink(missing_ok=True)
        if outcome is not None:
            (self.notes / "outcome").write_text(outcome)

    def noted(self, name: str) -> str:
        path = self.notes / name
        return path.read_text() if path.exists() else ""

    def enroll(self, *words: str, hub: str | None = None, yes: bool = True) -> dict[str, Any]:
        node = self.node()
        address = [hub or self.server.url]
        args = hub_node.build_parser().parse_args(["enroll", *address, *words, *(["--yes"] if yes else [])])
        outcome: dict[str, Any] = hub_node.perform(node, args)
        node.lock.release()
        self.assertNotIn(TOKEN, f"{outcome}{self.said}")
        self.assertNotIn(TOKEN, "".join(self.server.headers))
        return outcome

    def refused(self, code: str, *words: str, **how: Any) -> str:
        outcome = self.enroll(*words, **how)
        self.assertEqual(outcome["code"], code)
        self.assertEqual(self.noted("words"), "")
        return str(outcome["detail"])


class EnrollTest(EnrollBase):
    def test_the_hubs_own_script_is_run_and_the_token_is_none_of_its_arguments(self) -> None:
        (self.root / "token").write_text(f"{TOKEN}\n# more\n")
        outcome = self.enroll("--environment", "staging", "--name", "web1", "--token-file", str(self.root / "token"))
        self.assertEqual((outcome["result"], outcome["status"]), ("enrolled", hub_node.DONE))
        self.assertEqual(self.noted("words"), "--environment|staging|--name|web1|--yes|")
        self.assertEqual(self.noted("token"), f"{TOKEN}|")
        self.assertEqual(self.server.asked, ["/enroll.sh"])

    def test_the_token_comes_from_standard_input_or_the_environment_too(self) -> None:
        with mock.patch.object(sys, "stdin", io.StringIO(f"{TOKEN}\n")):
            self.enroll("--environment", "staging", "--token-file", "-", "--service")
        with mock.patch.dict(os.environ, {"HUB_ENROL_TOKEN": TOKEN}):
            self.enroll("--environment", "staging")
        with mock.patch.object(sys, "stdin", io.StringIO("")):
            self.enroll("--environment", "staging")
        self.assertEqual(self.noted("token"), f"{TOKEN}|{TOKEN}|none|")
        self.assertTrue(self.noted("words").startswith("--service|--environment|staging|--yes|"))

    def test_where_nothing_changed_it_says_so(self) -> None:
        self.ends(0, "changed=no\n")
        self.assertEqual(self.enroll()["result"], "nothing_to_do")

    def test_it_shows_first_and_asks_unless_the_answer_is_given(self) -> None:
        outcome = self.enroll(yes=False)
        self.assertEqual((outcome["code"], outcome["status"]), ("not_confirmed", hub_node.REFUSED))
        self.assertEqual(self.noted("words"), "--show|")
        with mock.patch.object(hub_node, "ask", lambda _: None):
            self.assertEqual(self.enroll(yes=False)["result"], "enrolled")
        self.assertEqual(self.noted("words"), "--show|--show|--shown|")

    def test_how_it_failed_tells_whether_anything_was_changed(self) -> None:
        for outcome, code, status in (
            ("changed=no\nthe hub refuses: this token was used\n", "enroll.failed", hub_node.UNCHANGED),
            ("changed=yes\nthe overlay could not be synced\n", "enroll.incomplete", hub_node.BROKEN),
            (None, "enroll.incomplete", hub_node.BROKEN),
        ):
            self.ends(1, outcome)
            found = self.enroll()
            self.assertEqual((found["code"], found["status"]), (code, status))
            if outcome is not None:
                self.assertIn(outcome.splitlines()[1], found["detail"])

    def test_plain_http_is_for_this_machine_alone_unless_a_key_is_told(self) -> None:
        self.assertIn("https", self.refused("enroll.untrusted", hub="http://hub.invalid"))
        self.refused("hub.unreachable", "--key", "0" * 40, hub="http://hub.invalid")

    def test_nobody_is_followed_elsewhere(self) -> None:
        other = PublicServer({"/enroll.sh": SCRIPT})
        self.addCleanup(other.close)
        self.server.files["/enroll.sh"] = f"{other.url}/enroll.sh"
        self.refused("hub.unreachable")
        self.assertEqual(other.asked, [])

    def test_what_is_no_address_and_no_fingerprint_is_wrong_use(self) -> None:
        for hub in ("hub.example", "ftp://hub", "http://", "https://node:token@hub", "https://hub?x=1", "http://[x"):
            self.assertEqual(self.enroll(hub=hub)["status"], hub_node.USAGE)
        for key in ("0123", "G" * 40, "0" * 41):
            self.refused("enroll.usage", "--key", key)
        self.refused("enroll.usage", "--token-file", str(self.root / "none"))


class SignedTest(test_hub_node.GpgTest, EnrollBase):
    """Signatures of the script, judged by a real GnuPG."""

    def setUp(self) -> None:
        super().setUp()
        self.key, self.stranger = self.make("hub"), self.make("stranger")
        self.server.files |= {
            "/enroll.sh.asc": self.sign(SCRIPT, self.key),
            "/keys/hub.asc": self.gpg("--armor", "--export", self.key),
        }

    def test_with_a_key_only_what_it_has_signed_is_run(self) -> None:
        spaced = " ".join(self.key[at : at + 4] for at in range(0, 40, 4)).lower()
        self.assertEqual(self.enroll("--key", spaced)["result"], "enrolled")
        (self.notes / "words").unlink()
        self.assertIn(f"is signed by {self.key}", self.refused("enroll.untrusted", "--key", self.stranger))
        signature = self.server.files["/enroll.sh.asc"]
        # Another script, another key under the hub's name, no signature, one beside the right one.
        self.server.files["/enroll.sh"] = SCRIPT.replace("main()", "id; main()")
        self.refused("enroll.untrusted", "--key", self.key)
        self.server.files["/enroll.sh"] = SCRIPT
        self.server.files["/keys/hub.asc"] = self.gpg("--armor", "--export", self.stranger)
        self.refused("enroll.untrusted", "--key", self.key)
        self.server.files["/enroll.sh.asc"] = self.sign(SCRIPT, self.stranger)
        self.refused("enroll.untrusted", "--key", self.key)
        del self.server.files["/enroll.sh.asc"]
        self.refused("hub.unreachable", "--key", self.key)
        self.server.files["/enroll.sh.asc"] = f"{signature}{self.sign('other', self.stranger)}"
        self.server.files["/keys/hub.asc"] = self.gpg("--armor", "--export")
        self.refused("enroll.untrusted", "--key", self.stranger)

    def test_a_text_that_the_hub_signed_for_something_else_is_no_script(self) -> None:
        commit = f"tree {'0' * 40}\nauthor x\n\n'; id; main \"$@\"\n"
        self.server.files |= {"/enroll.sh": commit, "/enroll.sh.asc": self.sign(commit, self.key)}
        self.refused("hub.refused", "--key", self.key)
        self.server.files["/enroll.sh"] = SCRIPT[:-3]
        self.refused("hub.refused")

    def test_a_node_believes_the_keys_that_it_has(self) -> None:
        self.paths.overlay_keyring.mkdir(mode=0o700, parents=True)
        hub_node.HubKeys(self.paths).believe(self.paths.overlay_keyring, self.part(self.key))
        self.assertEqual(self.enroll()["result"], "enrolled")
        (self.notes / "words").unlink()
        self.server.files["/enroll.sh.asc"] = self.sign(SCRIPT, self.stranger)
        self.assertIn("--key", self.refused("enroll.untrusted"))


if __name__ == "__main__":
    unittest.main()
