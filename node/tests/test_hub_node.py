"""What hub-node does that needs no Portage. Run: python3 -m unittest discover -s node/tests -t node/tests"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import gzip
import hashlib
import importlib.machinery
import importlib.util
import io
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest import mock

PROGRAM = Path(__file__).resolve().parent.parent / "hub-node"


def load() -> Any:
    sys.dont_write_bytecode = True
    loader = importlib.machinery.SourceFileLoader("hub_node", str(PROGRAM))
    spec = importlib.util.spec_from_loader("hub_node", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["hub_node"] = module
    loader.exec_module(module)
    return module


hub_node = load()
Stop = hub_node.Stop
TOKEN = "phub_the-secret-of-this-test"
POINT = "rp_20261128T231500Z_k3j9x2"
OTHER_POINT = "rp_20261129T231500Z_aaaaaa"


class FakePortage:
    """Versions are compared as lists of numbers, and /etc is protected."""

    def compare(self, left: str, right: str) -> int:
        numbers = [[int(word) for word in text.split(".")] for text in (left, right)]
        return (numbers[0] > numbers[1]) - (numbers[0] < numbers[1])

    def is_protected(self) -> Any:
        return lambda path: path.startswith("/etc/")

    def build_folder(self, cpv: str) -> Path:
        return Path("/nonexistent") / cpv


class NodeTest(unittest.TestCase):
    """A node in a folder of its own, which says nothing."""

    def setUp(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="hub-node-test-"))
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        self.paths = hub_node.Paths(self.root)
        self.paths.state.mkdir(parents=True)
        self.said: list[str] = []
        self.replace("say", self.said.append)
        # Tests with a real Portage may run beside these.
        self.replace("running_emerges", lambda: [])

    def replace(self, name: str, value: Any) -> None:
        patch = mock.patch.object(hub_node, name, value)
        patch.start()
        self.addCleanup(patch.stop)

    def node(self, **settings: Any) -> Any:
        if settings:
            hub_node.write_json(self.paths.settings, settings)
        node = hub_node.Node(self.paths)
        node.portage = FakePortage()
        self.addCleanup(node.lock.release)
        return node

    def install(self, cpv: str, **files: str) -> Path:
        folder: Path = self.paths.vdb / cpv
        folder.mkdir(parents=True)
        fields = {"SLOT": "0", "repository": "hub-staging", "COUNTER": "7", "BUILD_TIME": "1", **files}
        for name, text in fields.items():
            (folder / name).write_text(f"{text}\n")
        return folder

    def make_point(self, point_id: str = POINT, cpv: str = "app-acme/shop-1.0", **facts: Any) -> Path:
        folder: Path = self.paths.points / point_id
        package = folder / "packages/app-acme/shop/shop-1.0-1.gpkg.tar"
        package.parent.mkdir(parents=True)
        package.write_bytes(b"package")
        (folder / "dump/deep").mkdir(parents=True)
        (folder / "dump/deep/a b.dump").write_bytes(b"x" * 100_000)
        (folder / "plan.txt").write_text("plan")
        all_facts: dict[str, Any] = {
            **{"id": point_id, "app": "shop", "cpv": cpv, "slot": "0", "repo": "hub-staging", "reason": "upgrade"},
            **{"takenAt": "2026-11-28T23:15:00Z", "hubNode": "0.1.0", "schema": {"version": 12}, "uploaded": False},
            **{"configFiles": [], "configPending": []},
        }
        all_facts |= facts
        hub_node.write_facts(folder, all_facts)
        all_facts = {**all_facts, "files": hub_node.list_files(folder), **facts}
        hub_node.write_json(folder / "point.json", all_facts)
        return folder


class Words(unittest.TestCase):
    def test_the_help_needs_no_portage_and_tells_the_statuses(self) -> None:
        for arguments in (["--help"], ["upgrade", "--help"], ["rollback", "--help"]):
            ran = subprocess.run([sys.executable, "-I", str(PROGRAM), *arguments], capture_output=True, text=True)
            self.assertEqual(ran.returncode, 0, ran.stderr)
            self.assertIn("21  failed; the version before is installed again", ran.stdout)

    def test_wrong_use_is_status_2(self) -> None:
        wrong: list[list[str]] = [[], ["fly"], ["upgrade"], ["upgrade", "shop", "--confirm-within", "soon"]]
        for arguments in wrong:
            ran = subprocess.run([sys.executable, "-I", str(PROGRAM), *arguments], capture_output=True, text=True)
            self.assertEqual(ran.returncode, 2, ran.stdout)

    def test_arguments(self) -> None:
        parser = hub_node.build_parser()
        args = parser.parse_args(["upgrade", "shop=45", "--confirm-within", "4m", "--may-touch", "a/b", "--json"])
        self.assertEqual((args.name, args.confirm_within, args.may_touch, args.json), ("shop=45", 240, ["a/b"], True))
        args = parser.parse_args(["rollback", POINT, "--yes", "--with-dump"])
        self.assertEqual((args.point, args.yes, args.with_dump, args.force), (POINT, True, True, False))

    def test_a_cpv_is_split_as_pms_says(self) -> None:
        for cpv, names in {
            "app-acme/shop-1.4.0_rc2_p45": ("app-acme/shop", "1.4.0_rc2_p45"),
            "app-acme/shop-2-front-1.0-r3": ("app-acme/shop-2-front", "1.0-r3"),
            "dev-libs/a+b_c-1a": ("dev-libs/a+b_c", "1a"),
            "app-acme/-MERGING-shop-1": None,
            "app-acme/shop": None,
            "shop-1": None,
        }.items():
            self.assertEqual(hub_node.split_cpv(cpv), names, cpv)

    def test_contents_with_spaces_and_arrows(self) -> None:
        text = "dir /opt/a b\nobj /opt/a b/c -> d ABCDEF 12\nsym /opt/l -> ../x y 13\nfif /run/f\n"
        entries = [(e.kind, e.path, e.value, e.mtime) for e in hub_node.parse_contents(text)]
        self.assertEqual(entries[1], ("obj", "/opt/a b/c -> d", "abcdef", "12"))
        self.assertEqual(entries[2], ("sym", "/opt/l", "../x y", "13"))
        self.assertEqual([entry[0] for entry in entries], ["dir", "obj", "sym", "fif"])

    def test_instructions_are_one_comment_line_before_eapi(self) -> None:
        line = '# portage-hub: {"v":1,"app":"shop","build":45,"backup":{"commands":["a","b"],"timeoutSec":9}}'
        found = hub_node.read_instructions(f"# Generated\n{line}\nEAPI=8\n")
        self.assertEqual((found.app, found.build, found.commands("backup")), ("shop", 45, ["a", "b"]))
        self.assertEqual((found.timeout_sec("backup"), found.timeout_sec("restore")), (9, 600))
        for text in (f"EAPI=8\n{line}\n", "# portage-hub: {]\nEAPI=8\n", '# portage-hub: {"v":2,"app":"x"}\n', ""):
            self.assertEqual(hub_node.read_instructions(text).raw, {}, text)
        odd = hub_node.Instructions({"service": "a b; rm", "backup": {"expect": ["ok", "../no", "/no"]}, "health": 3})
        self.assertEqual((odd.service, odd.expected, odd.health), (None, ["ok"], None))

    def test_the_build_number_of_an_ebuild(self) -> None:
        self.assertEqual(hub_node.build_of('# portage-hub: {"v":1,"build":7}\n'), 7)
        self.assertEqual(
            hub_node.build_of("# Generated by Portage Hub from shop build 45 (version 1). Do not edit.\n"), 45
        )
        self.assertIsNone(hub_node.build_of("EAPI=8\n"))

    def test_a_plan_may_touch_the_app_and_its_declared_dependencies(self) -> None:
        text = (
            "[ebuild     UD] app-acme/shop-1.0_p1 [1.0_p2]\n[ebuild  N    ] dev-libs/a-1::gentoo \n"
            "[binary  N    ] dev-libs/b-2-1\n[ebuild     UD] dev-libs/c-1 [2]\n[uninstall    ] dev-libs/d-1\n"
            "[blocks B     ] dev-libs/e (is blocking)\nnot a line\n"
        )
        plan = hub_node.parse_plan(text)
        may = {"dev-libs/a", "dev-libs/b", "dev-libs/c"}
        self.assertEqual(
            hub_node.surprises(plan, "app-acme/shop", may),
            ["dev-libs/c-1", "uninstall dev-libs/d-1", "blocks dev-libs/e"],
        )
        self.assertIn("dev-libs/b-2-1", hub_node.surprises(plan, "app-acme/shop", set()))

    def test_what_a_schema_says_of_going_back(self) -> None:
        def schema(version: Any, back: Any = None) -> dict[str, Any]:
            return {"version": version, "reversibleFrom": back}

        for installed, then, is_fine in [
            (None, None, True),
            (schema(12, 11), schema(12), True),
            (schema(12, 11), schema(11), True),
            (schema(12, 11), schema(10), False),
            (schema(12), schema(11), False),
            (schema(12, 11), None, False),
            (None, schema(11), False),
            (schema(11, 10), schema(12), True),
            (schema(True, 1), schema(1), False),
        ]:
            self.assertEqual(hub_node.schema_refusal(installed, then) is None, is_fine, (installed, then))

    def test_ids_are_of_their_grammar(self) -> None:
        self.assertRegex(hub_node.new_id("rp"), hub_node.POINT_ID)


class Programs(NodeTest):
    def test_a_command_sees_its_folder_and_nothing_else_of_ours(self) -> None:
        dump = self.root / "dump"
        dump.mkdir()
        with mock.patch.dict(os.environ, {"SECRET": "no"}):
            ran = hub_node.run_command('env | sort > "$HUB_BACKUP_DIR/out"; umask', 10, dump, capture=True)
        self.assertEqual((ran.status, ran.output), (0, "0077\n"))
        text = (dump / "out").read_text()
        self.assertIn("HOME=/root\n", text)
        self.assertNotIn("SECRET", text)

    def test_each_failure_in_a_pipe_counts(self) -> None:
        self.assertFalse(hub_node.run_command("false | cat", 10, self.root).ok)
        self.assertFalse(hub_node.run_command("echo $unset", 10, self.root, capture=True).ok)

    def test_a_command_that_hangs_is_ended_with_all_it_started(self) -> None:
        begun = time.monotonic()
        ran = hub_node.run_command('sleep 61 & echo $! > "$HUB_BACKUP_DIR/pid"; sleep 60', 0.5, self.root)
        self.assertIsNone(ran.status)
        self.assertLess(time.monotonic() - begun, 30)
        pid = int((self.root / "pid").read_text())
        for _ in range(100):
            if not is_running(pid):
                return
            time.sleep(0.1)
        self.fail("the command's child is still there")

    def test_a_daemon_left_behind_does_not_hold_the_command_up(self) -> None:
        begun = time.monotonic()
        ran = hub_node.run_command("setsid sleep 20 & echo started", 10, self.root, capture=True)
        self.assertEqual((ran.status, ran.output), (0, "started\n"))
        self.assertLess(time.monotonic() - begun, 10)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class FenceTest(NodeTest):
    def test_in_a_folder_it_is_a_file_of_its_own(self) -> None:
        self.paths.masks.mkdir(parents=True)
        fence = hub_node.Fence(self.paths.masks)
        fence.set("app-acme/shop", hub_node.fence_mask("app-acme/shop", "1.0_p1-r1", "hub-staging"))
        fence.set("app-acme/desk", ">app-acme/desk-2::hub-staging")
        path = self.paths.masks / "hub-node"
        lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
        self.assertEqual(lines, [">app-acme/desk-2::hub-staging", ">app-acme/shop-1.0_p1-r1::hub-staging"])
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o644)
        self.assertEqual(hub_node.Fence(self.paths.masks).version("app-acme/shop"), "1.0_p1-r1")
        fence.set("app-acme/shop", None)
        fence.set("app-acme/desk", None)
        self.assertFalse(path.exists())

    def test_in_a_file_it_leaves_what_the_administrator_wrote(self) -> None:
        self.paths.masks.parent.mkdir(parents=True)
        self.paths.masks.write_text("# mine\n>sys-apps/foo-1")
        fence = hub_node.Fence(self.paths.masks)
        for version in ("1", "2"):
            fence.set("app-acme/shop", f">app-acme/shop-{version}::hub-staging")
        text = self.paths.masks.read_text()
        self.assertTrue(text.startswith("# mine\n>sys-apps/foo-1\n# hub-node begin\n"))
        self.assertEqual((text.count("app-acme/shop-"), fence.version("app-acme/shop")), (1, "2"))
        self.assertIsNone(fence.version("sys-apps/foo"))
        fence.set("app-acme/shop", None)
        self.assertEqual(self.paths.masks.read_text(), "# mine\n>sys-apps/foo-1\n")


class Installation(NodeTest):
    def test_the_database_tells_merges_from_packages(self) -> None:
        ebuild = '# portage-hub: {"v":1,"app":"web-shop","build":1}\nEAPI=8\n'
        self.install("app-acme/shop-1.0", **{"shop-1.0.ebuild": ebuild, "SLOT": "0/3"})
        self.install("app-acme/-MERGING-shop-2.0")
        self.install("app-acme/shop-front-1.0")
        node = self.node(overlay="hub-staging")
        self.assertEqual([pkg.cpv for pkg in node.vdb.all()], ["app-acme/shop-1.0", "app-acme/shop-front-1.0"])
        pkg = node.vdb.find("app-acme/shop")
        self.assertEqual((pkg.slot, pkg.counter, pkg.instructions().app), ("0", "7", "web-shop"))
        self.assertTrue(node.vdb.merge_began("app-acme/shop-2.0", time.time() - 60))
        self.assertFalse(node.vdb.merge_began("app-acme/shop-2.0", time.time() + 60))
        self.assertEqual(node.find_package("web-shop"), "app-acme/shop")
        with self.assertRaises(Stop) as caught:
            node.find_package("nothing")
        self.assertEqual(caught.exception.code, "package.unknown")

    def test_fields_may_be_in_one_file(self) -> None:
        folder = self.install("app-acme/shop-1.0")
        (folder / "COUNTER").unlink()
        (folder / "metadata").write_text("# v1\nCOUNTER=19\n")
        self.assertEqual(self.node().vdb.find("app-acme/shop").counter, "19")

    def test_two_slots_are_refused(self) -> None:
        self.install("app-acme/shop-1.0")
        self.install("app-acme/shop-2.0", SLOT="2")
        with self.assertRaises(Stop) as caught:
            self.node().vdb.find("app-acme/shop")
        self.assertEqual((caught.exception.code, caught.exception.status), ("package.ambiguous", 23))


class PointsTest(NodeTest):
    def test_a_point_is_complete_by_its_last_file(self) -> None:
        self.make_point()
        begun = self.make_point(OTHER_POINT)
        (begun / "point.json").unlink()
        node = self.node()
        self.assertEqual([point.id for point in node.points.all()], [POINT])
        node.points.sweep()
        self.assertEqual(os.listdir(self.paths.points), [POINT])

    def test_its_parts_are_listed_by_kind_and_checked(self) -> None:
        folder = self.make_point()
        point = self.node().points.get(POINT)
        names = {(part["kind"], part["name"]) for part in point.files}
        package = ("binpkg", "app-acme/shop/shop-1.0-1.gpkg.tar")
        self.assertEqual(names, {package, ("dump", "deep/a b.dump"), ("info", "plan.txt"), ("info", "facts.json")})
        point.check()
        (folder / "dump/deep/a b.dump").write_bytes(b"y" * 100_000)
        with self.assertRaises(Stop) as caught:
            point.check()
        self.assertEqual(caught.exception.code, "point.damaged")

    def test_configuration_is_compared_by_content_mode_and_kind(self) -> None:
        etc = self.root / "etc"
        etc.mkdir(exist_ok=True)
        (etc / "a").write_text("1")
        os.symlink("a", etc / "link")
        files = [{"path": str(etc / name), **hub_node.describe_file(etc / name)} for name in ("a", "link", "gone")]
        self.make_point(configFiles=files)
        point = self.node().points.get(POINT)
        self.assertEqual(hub_node.config_differences(point), [])
        os.chmod(etc / "a", 0o600)
        os.unlink(etc / "link")
        (etc / "gone").write_text("back")
        changes = {os.path.basename(d["path"]): d["change"] for d in hub_node.config_differences(point)}
        self.assertEqual(changes, {"a": "mode, owner or target", "link": "comes back", "gone": "will be removed"})

    def test_proposals_of_portage_are_found_and_forgotten(self) -> None:
        for name in ("._cfg0000_a", "._cfg0001_a", "._cfg0000_ab", "a"):
            (self.root / name).write_text("")
        path = str(self.root / "a")
        found = hub_node.pending_updates([path])
        self.assertEqual([os.path.basename(name) for name in found], ["._cfg0000_a", "._cfg0001_a"])
        self.paths.config_memory.parent.mkdir(parents=True)
        self.paths.config_memory.write_text(f"{path} md5\n{path}b md5\n")
        hub_node.forget_updates(self.node(), found)
        self.assertEqual(self.paths.config_memory.read_text(), f"{path}b md5\n")

    def test_the_default_of_a_rollback_is_the_newest_older_version(self) -> None:
        self.make_point(cpv="app-acme/shop-1.0")
        self.make_point("rp_20261128T231600Z_bbbbbb", cpv="app-acme/shop-1.5", takenAt="2026-11-28T23:16:00Z")
        self.make_point(OTHER_POINT, cpv="app-acme/shop-2.0", takenAt="2026-11-29T23:15:00Z")
        self.install("app-acme/shop-2.0")

        def choose(**how: Any) -> Any:
            return hub_node.Rollback(self.node(), hub_node.RollbackOptions(**how)).choose()

        self.assertEqual(choose().cpv, "app-acme/shop-1.5")
        self.assertEqual(choose(point_id=OTHER_POINT).cpv, "app-acme/shop-2.0")


class Recovery(NodeTest):
    def journal(self, node: Any, step: str, **facts: Any) -> Any:
        journal = {
            **{"v": 1, "op": "op_1", "verb": "upgrade", "cp": "app-acme/shop", "app": "shop", "pid": 1, "point": None},
            **{"before": None, "repo": "hub-staging", "fenceBefore": None, "target": "app-acme/shop-2.0", **facts},
        }
        node.journal.write(journal, step)
        return journal

    def test_preparation_is_undone_and_the_fence_put_back(self) -> None:
        node = self.node()
        self.journal(node, "preparing", fenceBefore=">app-acme/shop-1.0::hub-staging")
        outcome = hub_node.recover(node)
        self.assertEqual((outcome["result"], outcome["code"], outcome["status"]), ("unchanged", "killed", 20))
        self.assertEqual(node.fence.version("app-acme/shop"), "1.0")
        self.assertIsNone(node.journal.read())
        self.assertIsNone(hub_node.recover(node))

    def test_a_merge_that_never_began_is_undone(self) -> None:
        folder = self.install("app-acme/shop-1.0")
        node = self.node()
        self.journal(node, "merging", before=node.vdb.read(folder).identity)
        self.assertEqual(hub_node.recover(node)["result"], "unchanged")

    def test_a_merge_that_is_in_goes_on_with_its_health(self) -> None:
        ebuild = '# portage-hub: {"v":1,"health":{"command":"true"}}\nEAPI=8\n'
        self.install("app-acme/shop-2.0", **{"shop-2.0.ebuild": ebuild})
        node = self.node()
        self.journal(node, "merging", before={"cpv": "app-acme/shop-1.0", "counter": "6", "buildTime": "1"})
        outcome = hub_node.recover(node)
        self.assertEqual((outcome["result"], outcome["to"]), ("upgraded", "app-acme/shop-2.0"))
        self.assertEqual(node.warnings, [])

    def test_a_merge_whose_end_nobody_saw_is_warned_of_where_nothing_tells_health(self) -> None:
        self.install("app-acme/shop-2.0")
        node = self.node()
        self.journal(node, "merging", before={"cpv": "app-acme/shop-1.0", "counter": "6", "buildTime": "1"})
        outcome = hub_node.recover(node)
        self.assertEqual(outcome["result"], "upgraded")
        self.assertIn("merge.unseen", node.warnings[0])

    def test_a_merge_that_was_cut_is_done_again(self) -> None:
        self.install("app-acme/-MERGING-shop-2.0")
        folder = self.install("app-acme/shop-1.0")
        node = self.node()
        self.journal(node, "merging", before=node.vdb.read(folder).identity)
        with mock.patch.object(hub_node, "merge_and_check", return_value={"result": "again"}) as again:
            self.assertEqual(hub_node.recover(node), {"result": "again"})
        again.assert_called_once()

    def test_a_disk_without_room_for_the_journal_changes_nothing_and_is_told_as_that(self) -> None:
        node = self.node()
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        args = hub_node.build_parser().parse_args(["backup", "shop"])
        args.spec = dataclasses.replace(args.spec, run=mock.Mock(side_effect=full))
        outcome = hub_node.perform(node, args)
        self.assertEqual((outcome["result"], outcome["code"], outcome["status"]), ("unchanged", "node.no_room", 20))
        self.assertIn(str(node.paths.own), outcome["detail"])

    def test_an_end_that_was_noted_is_not_noted_twice(self) -> None:
        node = self.node()
        self.journal(node, "checking")
        node.history.add({"op": "op_1", "result": "upgraded"})
        with open(self.paths.history, "a") as file:
            file.write('{"op": "op_')
        self.assertEqual(hub_node.recover(node)["result"], "upgraded")
        self.assertFalse(self.paths.journal.exists())

    def test_with_nothing_to_go_back_to_a_person_is_needed(self) -> None:
        self.install("app-acme/shop-2.0", **{"shop-2.0.ebuild": "EAPI=8\n"})
        node = self.node()
        self.journal(node, "confirming", confirm={"withinSec": 1, "deadlineUptimeSec": 0})
        outcome = hub_node.recover(node)
        self.assertEqual((outcome["status"], outcome["code"]), (22, "restore.none"))

    def test_confirmation_is_by_name_and_in_time(self) -> None:
        self.install("app-acme/shop-2.0")
        node = self.node()
        self.journal(node, "confirming", confirm={"withinSec": 99, "deadlineUptimeSec": hub_node.uptime_sec() + 99})
        with self.assertRaises(Stop):
            hub_node.confirm(node, "desk")
        self.assertEqual(hub_node.confirm(node, "shop")["result"], "upgraded")
        with self.assertRaises(Stop):
            hub_node.confirm(node, "shop")

    def test_after_another_boot_the_time_is_over(self) -> None:
        late = {"confirm": {"deadlineUptimeSec": hub_node.uptime_sec() + 99}, "bootId": "another"}
        self.assertTrue(hub_node.is_expired(late))
        self.assertFalse(hub_node.is_expired({**late, "bootId": hub_node.boot_id()}))
        self.assertFalse(hub_node.is_expired({"bootId": "another"}))

    def test_one_at_a_time(self) -> None:
        node, other = self.node(), self.node()
        node.lock.acquire(0)
        with self.assertRaises(Stop) as caught:
            other.lock.acquire(0)
        self.assertEqual((caught.exception.code, caught.exception.status), ("node.busy", 24))
        node.lock.release()
        other.lock.acquire(0)
        other.lock.release()

    def test_a_change_that_waits_for_its_confirmation_keeps_others_out(self) -> None:
        node = self.node()
        self.journal(node, "confirming", confirm={"withinSec": 99, "deadlineUptimeSec": hub_node.uptime_sec() + 99})
        args = hub_node.build_parser().parse_args(["upgrade", "shop", "--wait", "0"])
        with mock.patch.object(hub_node, "start_timer") as timer:
            outcome = hub_node.perform(node, args)
        self.assertEqual((outcome["status"], outcome["code"]), (24, "node.busy"))
        timer.assert_called_once()

    def test_test_stops_mean_nothing_without_their_file(self) -> None:
        with mock.patch.dict(os.environ, {"HUB_NODE_TEST_STOP_AT": "here"}), mock.patch("os.kill") as kill:
            hub_node.reached(self.node(), "here")
            kill.assert_not_called()
            self.paths.test_switch.touch()
            hub_node.reached(self.node(), "here")
            kill.assert_called_once()


class FakeService:
    """A service that runs, and notes what is asked of it among what the commands note."""

    def __init__(self, name: str) -> None:
        self.name = name

    def state(self) -> str:
        return "stopped" if EVENTS and EVENTS[-1] != "start" and "stop" in EVENTS else "started"

    def change(self, verb: str) -> None:
        EVENTS.append(verb)


EVENTS: list[str] = []


class Migrating(NodeTest):
    """An upgrade of 1.0 to 2.0 that has just been merged: its build migrates the file `data`."""

    def setUp(self) -> None:
        super().setUp()
        EVENTS.clear()
        self.replace("Service", FakeService)
        self.data = self.root / "data"
        self.data.write_text("rows of 2.0, half of them\n")
        self.note = self.root / "note"
        self.replace("merge_point", self.merge_old)
        self.replace("put_config_back", lambda *_: EVENTS.append("configured"))

    def merge_old(self, *_: Any) -> None:
        EVENTS.append("merged")
        shutil.rmtree(self.paths.vdb)
        self.install("app-acme/shop-1.0", COUNTER="9")

    def began(self, *commands: str, step: str = "merging", says: Any = None, **facts: Any) -> tuple[Any, Any]:
        told = {
            "v": 1,
            "schema": {"version": 2, "reversibleFrom": 2},
            "migrate": {"commands": commands, "timeoutSec": 1},
            "health": {"command": f"test ! -e {self.root}/unhealthy"},
            **(says or {}),
        }
        ebuild = f"# portage-hub: {json.dumps(told)}\nEAPI=8\n"
        self.install("app-acme/shop-2.0", **{"shop-2.0.ebuild": ebuild})
        if not self.paths.points.exists():
            restore = {"commands": [f'cp "$HUB_BACKUP_DIR/deep/a b.dump" {self.data}']}
            self.make_point(schema={"version": 1}, instructions={"v": 1, "restore": restore})
        node = self.node(healthPauseSec=0)
        journal = {
            **{"v": 1, "op": "op_1", "verb": "upgrade", "cp": "app-acme/shop", "app": "shop", "pid": 1, "point": POINT},
            **{"before": {"cpv": "app-acme/shop-1.0", "counter": "6", "buildTime": "1"}, "fenceBefore": None},
            **{"repo": "hub-staging", "target": "app-acme/shop-2.0", "service": "shop", "serviceWas": "started"},
            **{"migrates": True, **facts},
        }
        EVENTS.append("stop")
        node.journal.write(journal, step)
        return node, journal

    def assert_went_back(self, outcome: Any, code: str = "migrate.failed") -> None:
        self.assertEqual((outcome["result"], outcome["status"], outcome["code"]), ("rolled_back", 21, code))
        self.assertEqual(outcome["to"], "app-acme/shop-1.0")
        self.assertEqual(self.data.read_text(), "x" * 100_000)
        self.assertEqual(EVENTS, ["stop", "merged", "configured", "start"])
        self.assertEqual(list(self.paths.state.glob("migration")), [])

    def test_the_data_is_migrated_while_the_service_is_stopped(self) -> None:
        look = f'[ "$HUB_BACKUP_DIR" = {self.paths.migration} ]; ls -A "$HUB_BACKUP_DIR"; env; umask'
        with mock.patch.dict(os.environ, {"SECRET": "no"}):
            node, journal = self.began(f"{{ {look}; }} > {self.note}", f"echo migrated > {self.data}")
            outcome = hub_node.migrate_and_check(node, journal)
        self.assertEqual((outcome["result"], outcome["status"]), ("upgraded", 0))
        self.assertEqual((self.data.read_text(), EVENTS), ("migrated\n", ["stop", "start"]))
        self.assertNotIn("SECRET", self.note.read_text())
        self.assertTrue(self.note.read_text().endswith("\n0077\n"))
        self.assertEqual((self.paths.migration.exists(), self.paths.command.exists()), (False, False))

    def test_one_that_fails_or_hangs_goes_back_with_its_dump(self) -> None:
        node, journal = self.began("true", "false | cat", f"touch {self.note}")
        outcome = hub_node.migrate_and_check(node, journal)
        self.assert_went_back(outcome)
        self.assertEqual(outcome["detail"], f"migrate command 2 ended with 1: false | cat. The data is that of {POINT}")
        self.assertFalse(self.note.exists())
        shutil.rmtree(self.paths.vdb)
        self.data.write_text("half")
        EVENTS.clear()
        outcome = hub_node.migrate_and_check(*self.began("sleep 60"))
        self.assert_went_back(outcome)
        self.assertIn("was not done after 1 s", outcome["detail"])

    def test_cut_in_the_middle_it_is_never_begun_again(self) -> None:
        node, _ = self.began(f"touch {self.note}", step="migrating", migration="begun")
        self.assert_went_back(hub_node.recover(node))
        self.assertFalse(self.note.exists())
        self.assertEqual(node.warnings, [])

    def test_cut_while_it_goes_back_the_dump_is_still_put_back(self) -> None:
        node, journal = self.began("false")
        with mock.patch.object(hub_node, "load_dump", side_effect=KeyboardInterrupt):
            with self.assertRaises(KeyboardInterrupt):
                hub_node.migrate_and_check(node, journal)
        EVENTS[:] = ["stop"]
        self.assert_went_back(hub_node.recover(self.node()))

    def test_cut_before_it_began_it_is_done_and_after_it_ended_it_is_not(self) -> None:
        node, _ = self.began(f"echo once >> {self.note}")
        self.assertEqual(hub_node.recover(node)["result"], "upgraded")
        self.assertEqual((self.note.read_text(), EVENTS), ("once\n", ["stop", "start"]))
        shutil.rmtree(self.paths.vdb)
        self.paths.history.unlink()
        EVENTS.clear()
        node, _ = self.began(f"echo once >> {self.note}", step="checking", migration="done")
        self.assertEqual(hub_node.recover(node)["result"], "upgraded")
        self.assertEqual((self.note.read_text(), EVENTS), ("once\n", ["stop", "start"]))

    def test_once_it_has_ended_the_dump_stays_where_it_is(self) -> None:
        (self.root / "unhealthy").touch()
        node, journal = self.began(f"echo migrated > {self.data}", says={"schema": {"version": 2, "reversibleFrom": 1}})
        outcome = hub_node.migrate_and_check(node, journal)
        self.assertEqual((outcome["status"], outcome["code"]), (21, "health.failed"))
        self.assertEqual(self.data.read_text(), "migrated\n")
        shutil.rmtree(self.paths.vdb)
        outcome = hub_node.migrate_and_check(*self.began("true"))
        self.assertEqual((outcome["status"], outcome["code"]), (22, "revert.failed"))
        self.assertIn("schema.irreversible", outcome["detail"])

    def test_without_a_dump_the_schema_decides_and_it_is_said(self) -> None:
        self.make_point(schema={"version": 1}, instructions={"v": 1})
        node, journal = self.began("false")
        outcome = hub_node.migrate_and_check(node, journal)
        self.assertEqual((outcome["status"], outcome["code"], EVENTS), (22, "revert.failed", ["stop"]))
        self.assertIn("the data is as the migration left it", node.warnings[0])
        shutil.rmtree(self.paths.vdb)
        node, journal = self.began("false", says={"schema": {"version": 2, "reversibleFrom": 1}})
        outcome = hub_node.migrate_and_check(node, journal)
        self.assertEqual((outcome["status"], outcome["code"]), (21, "migrate.failed"))
        self.assertEqual(self.data.read_text(), "rows of 2.0, half of them\n")

    def test_where_no_service_was_stopped_it_says_what_is_lost(self) -> None:
        node, journal = self.began("false", service=None, serviceWas=None)
        self.assertEqual(hub_node.migrate_and_check(node, journal)["status"], 21)
        self.assertEqual(node.warnings, ["no service was stopped: what was written since 2026-11-28T23:15:00Z is lost"])

    def test_a_failed_postinst_before_it_needs_neither_dump_nor_schema(self) -> None:
        node, journal = self.began("true")
        outcome = hub_node.revert(node, journal, Stop("merge.postinst", "as emerge said"))
        self.assertEqual((outcome["status"], outcome["code"]), (21, "merge.postinst"))
        self.assertEqual(self.data.read_text(), "rows of 2.0, half of them\n")

    def test_the_service_is_stopped_before_the_dump_and_started_if_nothing_comes_of_it(self) -> None:
        folder = self.install("app-acme/shop-1.0", **{"shop-1.0.ebuild": '# portage-hub: {"v":1,"service":"shop"}\n'})
        node = self.node()
        pkg = node.vdb.read(folder)
        cases: list[tuple[list[str], list[str]]] = [([], []), (["true"], ["stop", "start"])]
        for commands, events in cases:
            told = json.dumps({"v": 1, "migrate": {"commands": commands}})
            node.portage.ebuild = lambda *_, text=f"# portage-hub: {told}\n": text
            upgrade = hub_node.Upgrade(node, hub_node.UpgradeOptions("shop"))
            journal = hub_node.begin(node, "upgrade", "app-acme/shop", pkg)
            upgrade.stop_for_migration(journal, pkg, "app-acme/shop-2.0")
            self.assertEqual(EVENTS, events[:1])
            self.assertEqual(hub_node.recover(node)["result"], "unchanged")
            self.assertEqual(EVENTS, events)


class HalfMerged(NodeTest):
    """An upgrade of 1.0 to 2.0 whose merge failed: the program's own files are as they were."""

    def setUp(self) -> None:
        super().setUp()
        self.etc = self.root / "etc/shop"
        self.etc.mkdir(parents=True)
        self.log = self.root / "tmp/portage/app-acme/shop-2.0/temp/build.log"
        self.log.parent.mkdir(parents=True)
        lines = []
        for path in (self.root / "program", self.etc / "plain.toml", self.etc / "edited.toml"):
            path.write_text("of 1.0")
            lines.append(f"obj {path} {hashlib.md5(b'of 1.0').hexdigest()} 1")
        (self.etc / "edited.toml").write_text("mine")
        (self.etc / "._cfg0000_edited.toml").write_text("of 0.9")
        folder = self.install("app-acme/shop-1.0", CONTENTS="\n".join(lines))
        self.tried = self.node()

        def is_protected(path: str) -> bool:
            return path.startswith(f"{self.root}/etc/")

        self.tried.portage.is_protected = mock.Mock(return_value=is_protected)
        self.tried.portage.build_folder = (self.root / "tmp/portage").joinpath
        pkg = self.tried.vdb.read(folder)
        config = hub_node.describe_config(pkg, self.tried.portage.is_protected())
        pending = hub_node.pending_updates(file["path"] for file in config)
        self.make_point(configFiles=config, configPending=pending)
        self.before = self.files()
        self.journal = {
            **{"v": 1, "op": "op_1", "verb": "upgrade", "cp": "app-acme/shop", "app": "shop", "pid": 1, "point": POINT},
            **{"before": pkg.identity, "repo": "hub-staging", "fenceBefore": None, "target": "app-acme/shop-2.0"},
        }
        self.tried.journal.write(self.journal, "merging")

    def files(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in hub_node.files_below(self.root / "etc")}

    def merged(self, *names: str) -> None:
        """What Portage did and wrote into its log before it failed."""
        with open(self.log, "a") as log:
            log.write(f">>> Installing (1 of 1)\n--- {self.root}/etc/\n")
            for name in names:
                if name.endswith("/"):
                    (self.etc / name).mkdir()
                else:
                    (self.etc / name).write_text("of 2.0")
                log.write(f">>> {self.etc}/{name}\n")

    def end(self) -> Any:
        return hub_node.merge_failed(self.tried, self.journal, time.time() - 60, hub_node.Ran(1, ""))

    def assert_unchanged(self) -> None:
        with self.assertRaises(Stop) as caught:
            self.end()
        self.assertEqual((caught.exception.code, caught.exception.status), ("merge.failed", 20))
        self.assertEqual(self.files(), self.before)

    def test_proposals_and_new_files_of_the_new_version_are_taken_away(self) -> None:
        self.merged("._cfg0001_edited.toml", "only-2.toml", "new/", "new/deep.toml")
        (self.etc / "of-somebody-else.toml").write_text("stays")
        self.before["of-somebody-else.toml"] = "stays"
        self.assert_unchanged()
        self.assertFalse((self.etc / "new").exists())

    def test_a_configuration_file_that_was_overwritten_comes_back_by_the_point(self) -> None:
        self.merged("plain.toml")
        with mock.patch.object(hub_node, "revert", return_value={"result": "reverted"}) as revert:
            self.assertEqual(self.end(), {"result": "reverted"})
        self.assertIn("plain.toml", revert.call_args[0][2].detail)

    def test_of_a_merge_that_is_done_again_the_files_of_the_first_try_count(self) -> None:
        self.install("app-acme/-MERGING-shop-2.0")
        self.merged("only-2.toml")
        with mock.patch.object(hub_node, "merge_and_check", return_value={"result": "again"}):
            hub_node.recover(self.tried)
        self.journal = self.tried.journal.read()
        self.log.write_text(f"=== {self.etc}/only-2.toml\n")
        self.assert_unchanged()

    def test_a_compressed_log_is_read_too(self) -> None:
        self.merged("only-2.toml")
        self.log.with_name("build.log.gz").write_bytes(gzip.compress(self.log.read_bytes()))
        self.log.unlink()
        self.assert_unchanged()

    def test_a_log_of_another_time_is_not_believed(self) -> None:
        self.merged("only-2.toml")
        os.utime(self.log, (1, 1))
        self.assertIsNone(hub_node.read_merged(self.tried, "app-acme/shop-2.0", 60))

    def test_what_somebody_else_edited_meanwhile_stays(self) -> None:
        self.merged("only-2.toml")
        (self.etc / "plain.toml").write_text("edited during the upgrade")
        self.before["plain.toml"] = "edited during the upgrade"
        self.assert_unchanged()

    def test_without_a_log_it_goes_by_the_point_and_says_what_it_cannot_know(self) -> None:
        self.install("app-acme/-MERGING-shop-2.0")
        self.merged("._cfg0001_edited.toml")
        self.log.unlink()
        self.assert_unchanged()
        self.assertIn("has left no log", self.tried.warnings[0])
        self.merged("plain.toml")
        self.log.unlink()
        with mock.patch.object(hub_node, "revert", return_value={"result": "reverted"}):
            self.assertEqual(self.end(), {"result": "reverted"})

    def test_what_cannot_be_taken_away_is_for_a_person(self) -> None:
        self.merged("only-2.toml")
        (self.etc / "only-2.toml").unlink()
        (self.etc / "only-2.toml/in-the-way").mkdir(parents=True)
        outcome = self.end()
        self.assertEqual((outcome["status"], outcome["code"]), (22, "config.differs"))
        self.assertIn("only-2.toml", outcome["detail"])

    def test_other_files_that_are_left_behind_are_named(self) -> None:
        self.merged()
        (self.root / "only-2").write_text("of 2.0")
        with open(self.log, "a") as log:
            log.write(f">>> {self.root}/only-2\n")
        self.assert_unchanged()
        self.assertEqual(
            self.tried.warnings, [f"1 files of app-acme/shop-2.0 are left behind, such as {self.root}/only-2"]
        )

    def test_a_rollback_that_wrote_configuration_has_changed_something(self) -> None:
        protected = self.tried.portage.is_protected()
        config = hub_node.describe_config(self.tried.vdb.find("app-acme/shop"), protected)
        journal = {**self.journal, "verb": "rollback", "replaced": None, "replacedConfig": config, "replacedBy": []}
        self.tried.journal.write(journal, "restoring")

        def half(*_: Any) -> None:
            (self.etc / "edited.toml").write_text("of 1.0")
            raise Stop("merge.failed", "no room")

        with mock.patch.object(hub_node, "go_back", half):
            outcome = hub_node.restore(self.tried, journal)
        self.assertEqual((outcome["status"], outcome["code"]), (22, "merge.failed"))
        self.assertIn("edited.toml", outcome["detail"])


class Leftovers(NodeTest):
    def test_what_a_killed_run_had_begun_is_ended_but_for_daemons(self) -> None:
        program = (
            "import importlib.machinery as m, importlib.util as u, sys, pathlib\n"
            f"l = m.SourceFileLoader('hub_node', {str(PROGRAM)!r})\n"
            "h = u.module_from_spec(u.spec_from_loader('hub_node', l)); sys.modules['hub_node'] = h; l.exec_module(h)\n"
            "h.run_command(sys.argv[1], 99, pathlib.Path(sys.argv[2]), note=pathlib.Path(sys.argv[3]))\n"
        )
        pids = self.root / "pids"
        command = (
            f"setsid sleep 61 & echo $! > {pids}.new; sleep 62 & echo $! >> {pids}.new; mv {pids}.new {pids}; wait"
        )
        argv = [sys.executable, "-B", "-c", program, command, str(self.root), str(self.paths.command)]
        with subprocess.Popen(argv) as killed:
            while not pids.exists():
                time.sleep(0.05)
            killed.kill()
        daemon, child = map(int, pids.read_text().split())
        self.addCleanup(os.kill, daemon, 9)
        shell = int(self.paths.command.read_text().split()[0])
        hub_node.recover(self.node())
        self.assertEqual((is_running(shell), is_running(child), is_running(daemon)), (False, False, True))
        self.assertFalse(self.paths.command.exists())

    def test_a_note_of_another_boot_or_of_none_ends_nothing(self) -> None:
        ran = subprocess.Popen(["sleep", "60"], start_new_session=True, env={**os.environ, "HUB_BACKUP_DIR": "x"})
        self.addCleanup(ran.wait)
        self.addCleanup(ran.kill)
        for note in (f"{ran.pid} another-boot\n", "nonsense\n", ""):
            self.paths.command.write_text(note)
            hub_node.end_leftovers(self.paths.command)
            self.assertIsNone(ran.poll(), note)
        hub_node.end_leftovers(self.paths.command)


class HubServer:
    """A hub that knows restore points and uploads, and notes what it is asked."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str]] = []
        self.tokens: set[str | None] = set()
        self.parts: dict[str, bytes] = {}
        self.uploads: dict[str, bytearray] = {}
        self.lacks: set[str] | None = None
        self.refuse: str | None = None
        self.announced: Any = None
        self.cut_after: int | None = None
        self.redirect: str | None = None
        self.only: str | None = None
        self.lost_image = False
        self.ranges: list[int] = []
        self.rollbacks: list[dict[str, str]] | None = None
        self.tamper: Callable[[bytes], bytes] | None = None
        self.changes: dict[str, Any] = {}
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                hub.requests.append((self.command, self.path))
                hub.tokens.add(self.headers.get("Authorization"))
                hub.answer(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_HEAD = do_DELETE = handle_any

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, request: Any) -> None:
        if self.redirect is not None:
            return self.reply(request, 302, None, {"Location": self.redirect})
        if request.path.startswith("/api/v1/uploads"):
            return self.answer_upload(request)
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        if self.lost_image and "/metadata/" in request.path:
            return self.reply(request, 409, {"code": "restore_point.image_missing", "detail": "send it whole"})
        if request.command == "PUT" and not request.path.endswith("/pin"):
            upload = request.path.partition("?upload=")[2]
            self.parts[request.path.partition("?")[0]] = bytes(self.uploads[upload]) if upload else body
            return self.reply(request, 201, {})
        if request.path.endswith("/complete"):
            if self.refuse is not None:
                return self.reply(request, 422, {"code": "binpkg.invalid", "detail": self.refuse})
            return self.reply(request, 200, {"state": "complete", "binpkgs": [{"binpkgBuildId": 3}]})
        if request.path.endswith("/rollbacks?state=requested") and self.rollbacks is not None:
            return self.reply(request, 200, {"items": self.rollbacks})
        if request.path.endswith("/pin"):
            return self.reply(request, 200, {})
        if request.command == "GET" and "/restore-points" in request.path:
            return self.answer_points(request)
        if request.path.endswith("/restore-points"):
            self.announced = json.loads(body)
            wants = [
                {"kind": part["kind"], "name": part["name"], **({"only": self.only} if self.only else {})}
                for part in self.announced["files"]
                if self.lacks is None or part["kind"] in self.lacks
            ]
            return self.reply(request, 201, {"id": self.announced["id"], "state": "announced", "wants": wants})
        return self.reply(request, 404, {"code": "request.unknown_route", "detail": "no"})

    def answer_points(self, request: Any) -> None:
        """Gives back what came, and of a package other bytes than came, as the hub does which signs it."""
        path, _, query = request.path.partition("?")
        if path in self.kept():
            return self.send_part(request, self.kept()[path])
        point = path.rpartition("/")[2]
        if path.endswith("/restore-points"):
            more = {"nextCursor": "next page" if "cursor=" not in query else None}
            item: dict[str, Any] = {
                "id": POINT if "cursor=" not in query else OTHER_POINT,
                "app": "shop",
                "cpv": "a/b-1",
            }
            return self.reply(
                request, 200, {"items": [{**item, "reason": "upgrade", "state": "complete", "encrypted": True}], **more}
            )
        if self.announced is None or point != self.announced["id"]:
            return self.reply(request, 404, {"code": "restore_point.unknown", "detail": "no such point"})
        files = [{**part, "stored": self.stored(path, part)} for part in self.announced["files"]]
        return self.reply(request, 200, {**self.announced, "state": "complete", "files": files, **self.changes})

    def kept(self) -> dict[str, bytes]:
        signed = b"" if self.announced is None or self.announced["encrypted"] else b", signed"
        return {path: data + (signed if "/binpkgs/" in path else b"") for path, data in self.parts.items()}

    def stored(self, path: str, part: Any) -> Any:
        place = {"binpkg": "binpkgs", "dump": "dumps", "info": "infos"}[part["kind"]]
        data = self.kept().get(f"{path}/{place}/{urllib.parse.quote(part['name'])}")
        return data and {"sizeBytes": len(data), "sha512": hashlib.sha512(data).hexdigest()}

    def send_part(self, request: Any, data: bytes) -> None:
        begun = int((request.headers.get("Range") or "bytes=0-")[6:-1])
        self.ranges.append(begun)
        data = self.tamper(data) if self.tamper is not None else data
        request.send_response(206 if begun else 200)
        request.send_header("Content-Length", str(len(data) - begun))
        request.end_headers()
        if self.cut_after is not None and len(data) > self.cut_after:
            data, self.cut_after = data[: self.cut_after], None
            request.close_connection = True
        request.wfile.write(data[begun:])

    def answer_upload(self, request: Any) -> None:
        name = request.path.rpartition("/")[2]
        length = int(request.headers.get("Content-Length", 0))
        if request.command == "POST":
            self.uploads["up_1"] = bytearray()
            return self.reply(request, 201, None, {"Location": f"{self.url}/api/v1/uploads/up_1"})
        if request.command == "PATCH":
            if self.cut_after is not None:
                self.uploads[name] += request.rfile.read(self.cut_after)
                self.cut_after = None
                request.close_connection = True
                request.connection.shutdown(socket.SHUT_RDWR)
                return None
            assert int(request.headers["Upload-Offset"]) == len(self.uploads[name])
            self.uploads[name] += request.rfile.read(length)
        status = 204 if request.command == "PATCH" else 200
        return self.reply(request, status, None, {"Upload-Offset": str(len(self.uploads[name]))})

    def reply(self, request: Any, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        request.send_response(status)
        for name, value in (headers or {}).items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@contextlib.contextmanager
def hub_server() -> Iterator[HubServer]:
    server = HubServer()
    try:
        yield server
    finally:
        server.close()


GOLDEN = PROGRAM.parent.parent / "tests/golden/binpkgs/gpkg-gzip/app-acme/shop/shop-1.0.0_p1-1.gpkg.tar"


class ByReference(NodeTest):
    def setUp(self) -> None:
        super().setUp()
        self.folder = self.make_point()
        shutil.copy(GOLDEN, self.folder / "packages/app-acme/shop/shop-1.0-1.gpkg.tar")
        facts = json.loads((self.folder / "point.json").read_text())
        hub_node.write_json(self.folder / "point.json", {**facts, "files": hub_node.list_files(self.folder)})

    def send(self, server: HubServer) -> Any:
        self.paths.hub.mkdir(parents=True, exist_ok=True)
        self.paths.netrc.write_text(f"machine 127.0.0.1 login web1 password {TOKEN}\n")
        node = self.node(hub=f"{server.url}/", node="web1", overlay="hub-staging")
        self.assertEqual(hub_node.Upload(node, ()).send_all()[0]["state"], "complete")
        return node

    def test_of_an_image_that_the_hub_has_the_metadata_is_sent(self) -> None:
        with hub_server() as server:
            server.lacks = {"binpkg"}
            server.only = "metadata"
            node = self.send(server)
            ((path, sent),) = server.parts.items()
            self.assertTrue(path.endswith(f"/restore-points/{POINT}/metadata/app-acme/shop/shop-1.0-1.gpkg.tar"))
            (image,) = [part["image"] for part in server.announced["files"] if "image" in part]
            self.assertEqual(image["sha256"], "414e0bc2d33e7b116cb48971dec910542586eaf3d0c8fe8ac7c23463be1ac8bf")
            sha512 = hashlib.sha512(sent).hexdigest()
            self.assertEqual(image["metadata"], {"name": "metadata.tar.gz", "sizeBytes": len(sent), "sha512": sha512})
        # The node needs nobody to go back.
        node.points.get(POINT).check()

    def test_the_whole_is_sent_where_the_hub_has_lost_the_image(self) -> None:
        with hub_server() as server:
            server.lacks = {"binpkg"}
            server.only = "metadata"
            server.lost_image = True
            self.send(server)
            self.assertEqual(list(server.parts.values()), [GOLDEN.read_bytes()])

    def test_what_cannot_be_read_has_no_digest(self) -> None:
        package = self.folder / "packages/app-acme/shop/shop-1.0-1.gpkg.tar"
        whole = package.read_bytes()
        package.write_bytes(whole[: len(whole) // 2])
        self.assertIsNone(hub_node.image_digest(package))
        package.write_bytes(b"nonsense")
        self.assertIsNone(hub_node.describe_image(package))


class EnrolledTest(NodeTest):
    def enrolled(self, server: HubServer) -> Any:
        self.paths.hub.mkdir(parents=True, exist_ok=True)
        self.paths.netrc.write_text(
            f"machine other login x password y\nmachine 127.0.0.1 login web1 password {TOKEN}\n"
        )
        return self.node(hub=f"{server.url}/", node="web1", overlay="hub-staging")


class ToTheHub(EnrolledTest):
    def test_only_what_the_hub_lacks_is_sent_and_the_token_with_it(self) -> None:
        self.make_point()
        with hub_server() as server:
            server.lacks = {"dump"}
            node = self.enrolled(server)
            outcomes = hub_node.Upload(node, ()).send_all()
            self.assertEqual([outcome["state"] for outcome in outcomes], ["complete"])
            base = f"/api/v1/nodes/web1/restore-points/{POINT}"
            self.assertEqual(server.parts, {f"{base}/dumps/deep/a%20b.dump": b"x" * 100_000})
            self.assertEqual([method for method, _ in server.requests], ["POST", "PUT", "POST"])
            self.assertEqual(server.tokens, {f"Bearer {TOKEN}"})
            self.assertEqual((server.announced["schemaVersion"], server.announced["encrypted"]), (12, False))
            self.assertEqual(len(server.announced["files"]), 4)
            point = node.points.get(POINT)
            self.assertEqual((point.facts["uploaded"], point.facts["hubBinpkgs"]), (True, [{"binpkgBuildId": 3}]))
            self.assertEqual(hub_node.Upload(node, ()).send_all(), [])
        self.assertNotIn(TOKEN, "\n".join(self.said))

    def test_what_the_hub_refuses_stays_here_and_is_not_sent_again(self) -> None:
        self.make_point()
        with hub_server() as server:
            server.refuse = "not a build of this hub"
            node = self.enrolled(server)
            outcomes = hub_node.Upload(node, ()).send_all()
            self.assertEqual(outcomes[0]["state"], "refused")
            self.assertIn("not a build of this hub", node.points.get(POINT).facts["refused"])
            self.assertEqual(hub_node.Upload(node, ()).send_all(), [])
            node.points.get(POINT).check()

    def test_without_the_hub_it_is_tried_again_later(self) -> None:
        self.make_point()
        with hub_server() as server:
            node = self.enrolled(server)
            self.assertTrue(hub_node.HubClient(node).is_reachable())
        self.assertFalse(hub_node.HubClient(node).is_reachable())
        outcomes = hub_node.Upload(node, ()).send_all()
        self.assertEqual(outcomes[0]["state"], "later")
        self.assertFalse(node.points.get(POINT).facts["uploaded"])
        self.assertNotIn(TOKEN, "\n".join(self.said) + json.dumps(outcomes))

    def test_a_large_file_goes_on_where_it_was_cut(self) -> None:
        self.make_point()
        with hub_server() as server, mock.patch.object(hub_node, "RESUMABLE_ABOVE_BYTES", 50_000):
            server.lacks = {"dump"}
            server.cut_after = 30_000
            node = self.enrolled(server)
            self.assertEqual(hub_node.Upload(node, ()).send_all()[0]["state"], "later")
            self.assertEqual(len(server.uploads["up_1"]), 30_000)
            self.assertEqual(hub_node.Upload(node, ()).send_all()[0]["state"], "complete")
            self.assertEqual(list(server.parts.values()), [b"x" * 100_000])
            self.assertEqual(
                len([path for method, path in server.requests if (method, path) == ("POST", "/api/v1/uploads")]), 1
            )
            self.assertEqual(hub_node.read_json(self.paths.uploads), {})

    def test_nobody_is_followed_elsewhere_with_the_token(self) -> None:
        self.make_point()
        with hub_server() as server, hub_server() as other:
            server.redirect = f"{other.url}/api/v1/nodes/web1/restore-points"
            outcome = hub_node.Upload(self.enrolled(server), ()).send_all()[0]
            self.assertEqual(outcome["state"], "later")
            self.assertEqual(other.requests, [])

    @unittest.skipUnless(shutil.which("age") and shutil.which("age-keygen"), "no age on PATH")
    def test_parts_are_encrypted_before_they_leave(self) -> None:
        self.make_point()
        key = self.root / "key"
        subprocess.run(["age-keygen", "-o", str(key)], check=True, capture_output=True)
        recipient = subprocess.run(["age-keygen", "-y", str(key)], check=True, capture_output=True, text=True).stdout
        with hub_server() as server:
            node = self.enrolled(server)
            outcome = hub_node.Upload(node, (recipient.strip(),)).send_all()[0]
            self.assertEqual(outcome["state"], "complete")
            self.assertTrue(server.announced["encrypted"])
            (path,) = [path for path in server.parts if "/dumps/" in path]
            self.assertTrue(server.parts[path].startswith(b"age-encryption.org/"))
            opened = subprocess.run(
                ["age", "-d", "-i", str(key)], input=server.parts[path], capture_output=True, check=True
            )
            self.assertEqual(opened.stdout, b"x" * 100_000)
        self.assertFalse((self.paths.state / "sealed" / POINT).exists())

    def test_without_age_nothing_leaves(self) -> None:
        self.make_point()
        with hub_server() as server, mock.patch.dict(os.environ, {"PATH": "/nonexistent"}):
            outcome = hub_node.Upload(self.enrolled(server), ("age1x",)).send_all()[0]
            self.assertEqual((outcome["state"], server.requests), ("later", []))

    def test_the_token_is_that_of_the_machine(self) -> None:
        self.paths.hub.mkdir(parents=True)
        self.paths.netrc.write_text(f"machine hub.example login web1 password {TOKEN}\n")
        self.assertEqual(hub_node.read_token(self.paths.netrc, "https://hub.example:8443/x"), TOKEN)
        for hub in ("https://other.example", "nonsense"):
            with self.assertRaises(Stop) as caught:
                hub_node.read_token(self.paths.netrc, hub)
            self.assertEqual(caught.exception.code, "node.no_token")
        self.paths.netrc.write_text(f"machine hub.example nonsense {TOKEN}\n")
        with self.assertRaises(Stop) as caught:
            hub_node.read_token(self.paths.netrc, "https://hub.example")
        self.assertNotIn(TOKEN, caught.exception.detail)

    def test_a_rollback_that_the_hub_asks_for_is_done_once(self) -> None:
        with hub_server() as server:
            node = self.enrolled(server)
            hub_node.take_rollback(node)
            asked = {
                "items": [
                    {"id": "rb_1", "restorePoint": POINT, "withDump": True},
                    {"id": "rb_2", "restorePoint": "x"},
                ]
            }
            answer = hub_node.Answer(200, {}, asked)
            with mock.patch.object(hub_node.HubClient, "call", return_value=answer), mock.patch.object(
                hub_node, "run_self", return_value=0
            ) as run:
                hub_node.take_rollback(node)
                hub_node.take_rollback(node)
            run.assert_called_once_with("rollback", POINT, "--yes", "--with-dump")

    def test_where_the_overlay_holds_the_fence_goes_once_it_is_synced(self) -> None:
        with hub_server() as server:
            node = self.enrolled(server)
            asked = [
                {"id": f"rb_{n}", "restorePoint": POINT, "app": "shop", "environmentRollback": "rbe"} for n in "12"
            ]
            for rollback, status, noted in zip(asked, (22, 0), ([], ["shop"])):
                answer = hub_node.Answer(200, {}, {"items": [rollback]})
                with mock.patch.object(hub_node.HubClient, "call", return_value=answer), mock.patch.object(
                    hub_node, "run_self", return_value=status
                ):
                    hub_node.take_rollback(node)
                self.assertEqual(hub_node.read_json(node.paths.held_by_hub), noted)
            for status, noted in ((1, ["shop"]), (0, [])):
                with mock.patch.object(hub_node, "run_self", return_value=status) as run:
                    hub_node.leave_to_hub(node)
                run.assert_called_once_with("lift", "shop", "--synced")
                self.assertEqual(hub_node.read_json(node.paths.held_by_hub), noted)

    def test_a_sync_that_fails_leaves_the_fence(self) -> None:
        node = self.node(overlay="hub-staging")
        for ok in (False, True):
            ran = hub_node.Ran(0 if ok else 1, "gone")
            with mock.patch.object(hub_node, "run_program", return_value=ran):
                if ok:
                    hub_node.sync_or_stop(node)
                    continue
                with self.assertRaises(Stop) as caught:
                    hub_node.sync_or_stop(node)
                self.assertEqual(caught.exception.code, "sync.failed")
                self.assertFalse(node.paths.synced.exists())
        self.assertTrue(node.paths.synced.exists())


class FromTheHub(EnrolledTest):
    """A node that sent a point, lost its disk, and takes it back."""

    def sent(self, server: HubServer, *recipients: str, **facts: Any) -> Any:
        self.make_point(configFiles=[{"path": "/etc/shop.toml"}], **facts)
        node = self.enrolled(server)
        outcome = hub_node.Upload(node, recipients).send_all()[0]
        self.assertEqual(outcome["state"], "complete")
        return node

    def lose_disk(self) -> None:
        shutil.rmtree(self.paths.points)

    def refusal_of(self, node: Any, point: str = POINT, **how: Any) -> Any:
        with self.assertRaises(Stop) as caught:
            hub_node.Fetch(node, **how).run(point)
        self.assertFalse((self.paths.points / POINT).exists())
        return caught.exception

    def test_a_lost_point_comes_back_whole(self) -> None:
        with hub_server() as server:
            node = self.sent(server)
            before = node.points.get(POINT).facts
            self.lose_disk()
            outcome = hub_node.perform(node, hub_node.build_parser().parse_args(["points", "--fetch", POINT]))
            self.assertEqual((outcome["result"], outcome["status"]), ("fetched", 0), outcome)
            point = node.points.get(POINT)
            point.check()
            kept = ("id", "app", "cpv", "repo", "slot", "reason", "takenAt", "schema", "configFiles", "configPending")
            self.assertEqual({key: point.facts[key] for key in kept}, {key: before[key] for key in kept})
            self.assertTrue(point.facts["uploaded"])
            self.assertEqual((point.dump / "deep/a b.dump").read_bytes(), b"x" * 100_000)
            self.assertEqual((point.packages / "app-acme/shop/shop-1.0-1.gpkg.tar").read_bytes(), b"package, signed")
            self.assertEqual(stat.S_IMODE(point.folder.stat().st_mode) & 0o077, 0)
            self.assertFalse((self.paths.fetched / POINT).exists())
            asked = len(server.requests)
            self.assertEqual(hub_node.Fetch(node).run(POINT)["result"], "nothing_to_do")
            self.assertEqual(len(server.requests), asked)
            (point.dump / "deep/a b.dump").write_bytes(b"rotten")
            self.assertEqual(hub_node.Fetch(node).run(POINT)["result"], "fetched")
            node.points.get(POINT).check()
        self.assertNotIn(TOKEN, "\n".join(self.said))

    def test_a_rollback_takes_a_point_that_only_the_hub_has(self) -> None:
        with hub_server() as server:
            node = self.sent(server)
            self.lose_disk()
            self.assertEqual(hub_node.Rollback(node, hub_node.RollbackOptions(POINT)).choose().id, POINT)
            with self.assertRaises(Stop) as caught:
                hub_node.Rollback(node, hub_node.RollbackOptions(OTHER_POINT)).choose()
            self.assertEqual(caught.exception.code, "restore.unknown")

    def test_a_cut_is_gone_on_from_and_other_bytes_are_no_point(self) -> None:
        with hub_server() as server:
            node = self.sent(server)
            self.lose_disk()
            server.cut_after = 30_000
            self.assertEqual(self.refusal_of(node).code, "hub.unreachable")
            server.tamper = lambda data: data.replace(b"x", b"y")
            self.assertEqual(self.refusal_of(node).code, "point.not_fetched")
            self.assertIn(30_000, server.ranges)
            server.tamper = lambda data: data + b"more than it is"
            self.assertEqual(self.refusal_of(node).code, "point.not_fetched")
            server.tamper = None
            self.assertEqual(hub_node.Fetch(node).run(POINT)["result"], "fetched")
        self.lose_disk()
        self.assertEqual(self.refusal_of(node).code, "hub.unreachable")

    def test_what_the_hub_says_is_believed_only_where_it_may_be(self) -> None:
        with hub_server() as server:
            node = self.sent(server)
            self.lose_disk()
            stored: dict[str, Any] = {"sizeBytes": 1, "sha512": "0" * 128}
            outside: dict[str, Any] = {"kind": "dump", "name": "../../x", "stored": stored}
            wrong: list[tuple[dict[str, Any], str]] = [
                ({"state": "announced"}, "restore.unknown"),
                ({"files": [outside]}, "point.not_fetched"),
                ({"files": [{**outside, "name": "x", "stored": None}]}, "point.not_fetched"),
                ({"files": [{**outside, "kind": "info", "name": "point.json"}]}, "point.not_fetched"),
                ({"files": []}, "point.not_fetched"),
                ({"cpv": "app-acme/shop-9"}, "point.not_fetched"),
            ]
            for changes, code in wrong:
                server.changes = changes
                self.assertEqual(self.refusal_of(node).code, code, changes)
            server.changes = {}
            place = f"/api/v1/nodes/web1/restore-points/{POINT}/dumps/deep/a%20b.dump"
            server.parts[place] = b"other"
            self.assertEqual(self.refusal_of(node).code, "point.not_fetched")
            server.announced["files"] = [part for part in server.announced["files"] if part["kind"] != "dump"]
            self.assertEqual(self.refusal_of(node).code, "point.not_fetched")
            server.announced["files"] = [part for part in server.announced["files"] if part["name"] != "facts.json"]
            self.assertEqual(self.refusal_of(node).code, "point.no_facts")
            self.assertEqual(self.refusal_of(node, OTHER_POINT).code, "restore.unknown")
            self.assertEqual(self.refusal_of(node, "../x").status, hub_node.USAGE)

    @unittest.skipUnless(shutil.which("age") and shutil.which("age-keygen"), "no age on PATH")
    def test_an_encrypted_point_is_opened_by_the_nodes_key_or_the_operators(self) -> None:
        operator = self.root / "operator.key"
        subprocess.run(["age-keygen", "-o", str(operator)], check=True, capture_output=True)
        recipient = subprocess.run(["age-keygen", "-y", str(operator)], check=True, capture_output=True, text=True)
        with hub_server() as server:
            node = self.sent(server, recipient.stdout.strip())
            self.assertEqual(stat.S_IMODE(self.paths.identity.stat().st_mode), 0o600)
            key = self.paths.identity.read_bytes()
            self.lose_disk()
            self.assertEqual(hub_node.Fetch(node).run(POINT)["result"], "fetched")
            package = node.points.get(POINT).packages / "app-acme/shop/shop-1.0-1.gpkg.tar"
            self.assertEqual(package.read_bytes(), b"package")
            node.points.get(POINT).check()
            self.lose_disk()
            self.paths.identity.chmod(0o640)
            self.assertEqual(self.refusal_of(node).code, "point.sealed")
            self.paths.identity.unlink()
            self.assertEqual(self.refusal_of(node).code, "point.sealed")
            hub_node.own_recipient(self.paths.identity)
            self.assertNotEqual(self.paths.identity.read_bytes(), key)
            self.assertEqual(self.refusal_of(node).code, "point.sealed")
            self.assertEqual(hub_node.Fetch(node, operator).run(POINT)["result"], "fetched")
        secret = key.decode().splitlines()[-1]
        self.assertNotIn(secret, "\n".join(self.said))

    def test_cut_before_it_is_in_place_it_is_no_point(self) -> None:
        with hub_server() as server:
            node = self.sent(server)
            self.lose_disk()
            with mock.patch.object(hub_node, "reached", side_effect=KeyboardInterrupt):
                with self.assertRaises(KeyboardInterrupt):
                    hub_node.Fetch(node).run(POINT)
            self.assertEqual(node.points.all(), [])
            self.assertEqual(hub_node.Fetch(node).run(POINT)["result"], "fetched")
            node.points.get(POINT).check()

    def test_the_list_at_the_hub_says_what_is_here_too(self) -> None:
        self.make_point()
        with hub_server() as server:
            node = self.enrolled(server)
            args = hub_node.build_parser().parse_args(["points", "--at-hub"])
            out = io.StringIO()
            hub_node.show(hub_node.perform(node, args), out)
            lines = [
                f"{POINT}  a/b-1  upgrade  complete, encrypted  here too",
                f"{OTHER_POINT}  a/b-1  upgrade  complete, encrypted  only at the hub",
            ]
            self.assertEqual(out.getvalue().splitlines(), lines)


class ByPortage(NodeTest):
    """What a plain emerge of 2.0 over 1.0 leaves: Portage's package of 1.0, and the dump of the new ebuild's pkg_preinst."""

    OLD = {"v": 1, "app": "shop", "restore": {"commands": ["old"]}, "health": {"command": "old"}}
    NEW = {"v": 1, "app": "shop", "restore": {"commands": ["new"]}, "health": {"command": "new"}}

    def setUp(self) -> None:
        super().setUp()
        self.package = self.root / "binpkgs/app-acme/shop/shop-1.0.gpkg.tar"
        self.package.parent.mkdir(parents=True)
        self.package.write_bytes(b"package")
        entry = "CPV: app-acme/shop-1.0\nPATH: app-acme/shop/shop-1.0.gpkg.tar\nREPO: hub-staging\nSIZE: 7\nSHA1: a\n"
        (self.root / "binpkgs/Packages").write_text(f"PACKAGES: 1\n\n{entry}\n")
        self.dump = self.make_dump("1.0", 0)

    def make_dump(self, pvr: str, later_sec: float) -> Path:
        at = time.gmtime(self.package.stat().st_mtime + later_sec)
        dump: Path = self.paths.dumps / "app-acme/shop" / f"{pvr}-{time.strftime('%Y%m%dT%H%M%SZ', at)}"
        dump.mkdir(parents=True, mode=0o700)
        (dump / "shop.dump").write_text(dump.name)
        os.symlink("/etc/passwd", dump / "link")
        (dump / "complete").touch()
        return dump

    def adopted(self) -> Any:
        node = self.node(overlay="hub-staging")
        ebuild = f"# portage-hub: {json.dumps(self.OLD)}\nEAPI=8\n"
        node.portage.package_folder = mock.Mock(return_value=self.root / "binpkgs")
        node.portage.package_metadata = mock.Mock(return_value={"shop-1.0.ebuild": ebuild})
        (point,) = hub_node.Adoption(node).run()
        self.assertEqual(hub_node.Adoption(node).run(), [])
        return node.points.get(point.id)

    def install_new(self) -> Path:
        return self.install("app-acme/shop-2.0", **{"shop-2.0.ebuild": f"# portage-hub: {json.dumps(self.NEW)}\n"})

    def dumped(self, point: Any) -> list[str]:
        return [part["name"] for part in point.files if part["kind"] == "dump"]

    def test_the_dump_of_the_same_merge_is_in_the_point_which_is_roots_alone(self) -> None:
        self.make_dump("1.0-r1", 1)
        self.make_dump("1.0", -3600)
        (self.make_dump("1.0", 2) / "complete").unlink()
        self.install_new()
        point = self.adopted()
        self.assertEqual((point.facts["reason"], point.cpv), ("portage", "app-acme/shop-1.0"))
        self.assertEqual(self.dumped(point), ["shop.dump"])
        self.assertEqual((point.dump / "shop.dump").read_text(), self.dump.name)
        self.assertFalse(self.dump.exists(), "it is in the point and nowhere else")
        point.check()
        for folder in (self.paths.points, point.folder, point.packages, point.dump):
            self.assertEqual(stat.S_IMODE(folder.stat().st_mode), 0o700, folder)

    def test_it_is_put_back_as_the_build_says_that_made_it(self) -> None:
        self.install_new()
        point = self.adopted()
        self.assertTrue(point.can_load)
        self.assertEqual((point.instructions.commands("restore"), point.instructions.health), (["new"], "old"))

    def test_once_another_build_is_installed_the_older_one_says_it(self) -> None:
        folder = self.install_new()
        later = time.time() + 7200
        os.utime(folder, (later, later))
        self.assertEqual(self.adopted().instructions.commands("restore"), ["old"])

    def test_a_dump_of_another_merge_is_not_taken(self) -> None:
        shutil.rmtree(self.dump)
        self.make_dump("1.0", 7200)
        self.install_new()
        self.assertEqual(self.dumped(self.adopted()), [])


class Pruning(EnrolledTest):
    """Five points of one app, of which two are kept by their number."""

    IDS = [f"rp_2026010{day}T000000Z_aaaaaa" for day in range(1, 6)]

    def points(self, **settings: Any) -> Any:
        for point_id in self.IDS:
            taken_at = f"2026-01-0{point_id[10]}T00:00:00Z"
            self.make_point(point_id, uploaded=True, takenAt=taken_at)
        self.paths.etc.mkdir(parents=True, exist_ok=True)
        hub_node.write_json(self.paths.own_settings, {"keepPoints": 2})
        return self.node(**settings)

    def left(self, node: Any) -> list[int]:
        self.assertEqual(sorted(os.listdir(self.paths.points)), [point.id for point in node.points.all()])
        return [int(point.id[10]) for point in node.points.all()]

    def test_the_newest_stay_and_the_rest_goes(self) -> None:
        node = self.points()
        self.make_point(POINT, cpv="app-acme/other-1.0", uploaded=True)
        outcome = hub_node.perform(node, hub_node.build_parser().parse_args(["points", "--prune"]))
        self.assertEqual((outcome["result"], outcome["removed"]), ("pruned", self.IDS[2::-1]))
        self.assertEqual([point.id for point in node.points.all()], [*self.IDS[3:], POINT])
        node.lock.release()
        outcome = hub_node.perform(node, hub_node.build_parser().parse_args(["points", "--prune"]))
        self.assertEqual(outcome["result"], "nothing_to_do")

    def test_never_one_that_is_kept_or_needed_or_nowhere_else(self) -> None:
        node = self.points()
        hub_node.keep_point(node, self.IDS[0], True)
        node.points.get(self.IDS[1]).change(uploaded=False)
        journal = {"op": "op_1", "verb": "rollback", "point": self.IDS[2], "step": "restoring", "v": 1}
        with mock.patch.object(hub_node.Journal, "read", return_value=journal):
            self.assertEqual(hub_node.prune(node), [])
        self.assertEqual(hub_node.prune(node), [self.IDS[2]])
        self.assertEqual(hub_node.prune(node, also_here_only=True), [self.IDS[1]])
        self.assertEqual(self.left(node), [1, 4, 5])
        hub_node.keep_point(node, self.IDS[0], False)
        self.assertEqual(hub_node.prune(node), [self.IDS[0]])

    def test_what_is_asked_for_at_the_hub_stays_and_without_its_answer_all_does(self) -> None:
        self.points()
        with hub_server() as server:
            node = self.enrolled(server)
            hub_node.write_json(self.paths.own_settings, {"keepPoints": 2})
            server.rollbacks = [{"id": "rbk_1", "restorePoint": self.IDS[1]}]
            self.assertEqual(hub_node.prune(node), [self.IDS[2], self.IDS[0]])
            self.assertEqual(self.left(node), [2, 4, 5])
            server.rollbacks = []
            hub_node.keep_point(node, self.IDS[1], True)
            self.assertIn(("PUT", f"/api/v1/nodes/web1/restore-points/{self.IDS[1]}/pin"), server.requests)
            hub_node.keep_point(node, self.IDS[1], False)
            self.assertIn(("DELETE", f"/api/v1/nodes/web1/restore-points/{self.IDS[1]}/pin"), server.requests)
            asked = len(server.requests)
            hub_node.tell_kept(node)
            self.assertEqual(len(server.requests), asked)
        hub_node.prune_quietly(node)
        self.assertEqual(self.left(node), [2, 4, 5])
        self.assertIn("no old restore points are removed", node.warnings[0])

    def test_where_nothing_would_go_no_hub_is_asked(self) -> None:
        self.points()
        hub_node.write_json(self.paths.own_settings, {"keepPoints": 5})
        node = self.node(hub="http://127.0.0.1:1/", node="web1")
        hub_node.prune_quietly(node)
        self.assertEqual((node.warnings, self.left(node)), ([], [1, 2, 3, 4, 5]))

    def test_cut_halfway_it_is_no_point_and_the_next_run_removes_the_rest(self) -> None:
        node = self.points()
        with mock.patch.object(hub_node, "reached", side_effect=KeyboardInterrupt):
            with self.assertRaises(KeyboardInterrupt):
                hub_node.prune(node)
        self.assertEqual([int(point.id[10]) for point in node.points.all()], [1, 2, 4, 5])
        node.points.sweep()
        self.assertEqual(self.left(node), [1, 2, 4, 5])

    def test_settings_of_the_node_are_judged(self) -> None:
        self.paths.etc.mkdir(parents=True)
        for settings in ({"keepPoints": 0}, {"keepPoints": "2"}, {"keepPoints": True}, {"hub": "http://other"}, []):
            hub_node.write_json(self.paths.own_settings, settings)
            with self.assertRaises(Stop) as caught:
                self.node()
            self.assertEqual(caught.exception.code, "node.bad_settings", settings)
        hub_node.write_json(self.paths.own_settings, {"encryptTo": ["age1x"]})
        self.assertEqual(self.node(hub="http://hub", encryptTo=[]).settings.encrypt_to, ("age1x",))


class Leaving(NodeTest):
    def test_what_the_hub_put_there_goes_and_the_rest_stays(self) -> None:
        etc = self.paths.etc
        (etc / "repos.conf").mkdir(parents=True)
        (etc / "repos.conf/portage-hub.conf").write_text("x")
        (etc / "repos.conf/gentoo.conf").write_text("y")
        (etc / "make.conf").write_text('A="1"\n# portage-hub begin\nB="2"\n# portage-hub end\nC="3"\n')
        node = self.node(overlay="hub-staging")
        node.fence.set("app-acme/shop", ">app-acme/shop-1::hub-staging")
        self.assertEqual(hub_node.leave(node)["result"], "left")
        self.assertEqual(os.listdir(etc / "repos.conf"), ["gentoo.conf"])
        self.assertEqual((etc / "make.conf").read_text(), 'A="1"\nC="3"\n')
        self.assertFalse(self.paths.hub.exists())
        self.assertEqual(node.fence.read(), {})


class Documentation(unittest.TestCase):
    PAGE = PROGRAM.parent.parent / "docs/node-hub-node.md"

    def test_each_code_and_status_is_on_the_page(self) -> None:
        program, page = PROGRAM.read_text(), self.PAGE.read_text()
        codes = set(re.findall(r'(?:Stop|__init__)\(\s*"([a-z_.]+)"', program)) - {"enroll"}
        self.assertGreater(len(codes), 30)
        listed = page[page.index("\nCodes: ") : page.index("## When it is killed")]
        self.assertEqual(codes - set(re.findall(r"`([a-z_.]+)`", listed)), set())
        for verb in hub_node.VERBS:
            self.assertTrue(verb.name == "enroll" or f"hub-node {verb.name}" in page, verb.name)
        for status in re.findall(r"^ *(\d+)  ", hub_node.STATUS_TEXT, re.MULTILINE):
            self.assertRegex(page, rf"(?m)^\| +{status} \|")


class GoingForward(NodeTest):
    def test_a_newer_point_whose_build_migrates_is_told_apart(self) -> None:
        migrating = {"v": 1, "migrate": {"commands": ["true"]}}
        self.make_point(instructions=migrating)
        point = self.node().points.get(POINT)
        for installed, with_dump, expected in (("0.9", False, True), ("0.9", True, False), ("1.1", False, False)):
            folder = self.install(f"app-acme/shop-{installed}")
            rollback = hub_node.Rollback(self.node(), hub_node.RollbackOptions(with_dump=with_dump))
            found = rollback.needs_migration(point, self.node().vdb.find("app-acme/shop"))
            self.assertIs(found, expected, (installed, with_dump))
            shutil.rmtree(folder)
        self.assertFalse(hub_node.Rollback(self.node(), hub_node.RollbackOptions()).needs_migration(point, None))


class Showing(NodeTest):
    def test_points_are_a_table_for_people(self) -> None:
        self.make_point()
        args = hub_node.build_parser().parse_args(["points"])
        out = io.StringIO()
        hub_node.show(hub_node.perform(self.node(), args), out)
        self.assertEqual(out.getvalue(), f"{POINT}  app-acme/shop-1.0  upgrade  dump of 1 files  only here\n")

    def test_settings_that_cannot_be_read_are_a_refusal(self) -> None:
        self.paths.hub.mkdir(parents=True)
        self.paths.settings.write_text("{")
        with self.assertRaises(Stop) as caught:
            self.node()
        self.assertEqual(caught.exception.code, "node.bad_settings")


@unittest.skipIf(shutil.which("gpg") is None, "no gpg")
class GpgTest(NodeTest):
    """Keys and signatures of a real GnuPG."""

    def setUp(self) -> None:
        super().setUp()
        # Sockets of GnuPG need a short path.
        self.signers = Path(tempfile.mkdtemp(prefix="gpg-", dir="/tmp"))
        self.addCleanup(shutil.rmtree, self.signers, ignore_errors=True)
        end_agent = ["gpgconf", "--homedir", str(self.signers), "--kill", "all"]
        self.addCleanup(lambda: subprocess.run(end_agent, check=False))

    def gpg(self, *args: str, data: str | None = None) -> str:
        command = ["gpg", "--homedir", str(self.signers), "--batch", "--no-tty", "--passphrase", "", *args]
        return subprocess.run(command, input=data, capture_output=True, text=True, check=True).stdout

    def make(self, name: str) -> str:
        self.gpg("--quick-generate-key", name, "ed25519", "sign", "never")
        found = re.search(r"^fpr:+([0-9A-F]{40}):", self.gpg("--list-keys", "--with-colons", name), re.MULTILINE)
        assert found is not None
        return found[1]

    def part(self, *names: str) -> dict[str, Any]:
        return {"publicKeys": self.gpg("--armor", "--export", *names), "fingerprints": list(names)}

    def sign(self, text: str, name: str) -> str:
        return self.gpg("--armor", "--detach-sign", "--local-user", name, data=text)


class KeysTest(GpgTest):
    """Statements of the hub's keys."""

    def setUp(self) -> None:
        super().setUp()
        self.old, self.new, self.package, self.stranger = map(self.make, ("old", "new", "package", "stranger"))
        self.paths.hub.mkdir(parents=True)
        for keyring in (self.paths.overlay_keyring, self.paths.package_keyring):
            keyring.mkdir(mode=0o700)
        self.keys = hub_node.HubKeys(self.paths)
        self.keys.believe(self.paths.overlay_keyring, self.part(self.old))

    def statement(self, serial: int, *names: str) -> str:
        parts = {"overlay": self.part(*names), "binhost": self.part(self.package)}
        return json.dumps({"format": 1, "serial": serial, **parts})

    def without(self, serial: int, gone: str, *published: str) -> str:
        """A statement by which `gone` is believed no more, and the packages' key neither, for `stranger`."""
        overlay = {**self.part(self.new, *published), "fingerprints": [self.new], "distrusted": [gone]}
        binhost = {**self.part(self.stranger), "distrusted": [self.package]}
        return json.dumps({"format": 1, "serial": serial, "overlay": overlay, "binhost": binhost})

    def revoke(self, name: str) -> None:
        """With the certificate that GnuPG made beside the key, whose colon keeps it from being taken by mistake."""
        certificate = (self.signers / "openpgp-revocs.d" / f"{name}.rev").read_text(encoding="utf-8")
        self.gpg("--import", data=certificate.replace("\n:-----BEGIN", "\n-----BEGIN"))

    def known(self, keyring: Path) -> dict[str, str]:
        """The validity of each key there, as GnuPG shows it; `r` is revoked."""
        listed = hub_node.run_gpg(keyring, "--list-keys", "--with-colons").output
        found = re.findall(r"^pub:(.?):.*\nfpr:+([0-9A-F]{40}):", listed, re.MULTILINE)
        return {name: validity for validity, name in found}

    def refused(self, text: str, *signatures: str) -> None:
        before = {path: path.read_bytes() for path in hub_node.files_below(self.paths.etc)}
        with self.assertRaises(Stop) as caught:
            self.keys.take(text, signatures)
        self.assertEqual(caught.exception.code, "keys.refused")
        self.assertEqual({path: path.read_bytes() for path in hub_node.files_below(self.paths.etc)}, before)

    def test_a_new_key_is_believed_when_one_that_is_believed_has_signed_it(self) -> None:
        text = self.statement(1, self.old, self.new)
        self.assertTrue(self.keys.take(text, [self.sign(text, self.new), self.sign(text, self.old)]))
        self.assertFalse(self.keys.take(text, []))
        # From now on the new one is enough.
        later = self.statement(2, self.new)
        self.assertTrue(self.keys.take(later, [self.sign(later, self.new)]))
        mode = stat.S_IMODE((self.paths.package_keyring / "pubring.kbx").stat().st_mode)
        self.assertEqual(mode, 0o644)

    def test_a_retired_key_is_taken_away_and_what_else_is_there_stays(self) -> None:
        text = self.statement(1, self.old, self.new)
        self.keys.take(text, [self.sign(text, self.old)])
        # Portage's own keys share the keyring of packages.
        self.keys.believe(self.paths.package_keyring, self.part(self.old))
        later = self.without(2, self.old)
        self.assertTrue(self.keys.take(later, [self.sign(later, self.new)]))
        self.assertEqual(self.known(self.paths.overlay_keyring), {self.new: "u"})
        self.assertEqual(self.known(self.paths.package_keyring), {self.stranger: "u", self.old: "u"})
        mode = stat.S_IMODE((self.paths.package_keyring / "pubring.kbx").stat().st_mode)
        self.assertEqual(mode, 0o644)

    def test_a_revoked_key_says_nothing_any_more_and_its_certificate_stays(self) -> None:
        text = self.statement(1, self.old, self.new)
        self.keys.take(text, [self.sign(text, self.old)])
        more = self.statement(3, self.old, self.new, self.stranger)
        stolen = self.sign(more, self.old)
        early = self.part(self.old)
        self.revoke(self.old)
        later = self.without(2, self.old, self.old)
        self.assertTrue(self.keys.take(later, [self.sign(later, self.new)]))
        self.assertEqual(self.known(self.paths.overlay_keyring), {self.new: "u", self.old: "r"})
        self.refused(more, stolen)
        # A copy from before does not bring it back.
        self.keys.believe(self.paths.overlay_keyring, early)
        self.refused(more, stolen)

    def test_a_node_that_knows_nothing_but_the_revoked_key_goes_on_by_its_last_signature(self) -> None:
        early = self.without(1, self.old)
        last = self.sign(early, self.old)
        self.assertTrue(self.keys.take(early, [last]))
        self.assertEqual(self.known(self.paths.overlay_keyring), {self.new: "u"})
        self.assertFalse(self.keys.take(early, [last]))

    def test_what_came_after_that_is_taken_too(self) -> None:
        early = self.without(1, self.old)
        newest = self.without(2, self.old)
        signed = (newest, [self.sign(newest, self.new)])
        with self.assertRaises(Stop):
            self.keys.follow(signed, [])
        self.assertEqual(self.known(self.paths.overlay_keyring), {self.old: "u"})
        self.assertTrue(self.keys.follow(signed, [("{}", ["x"]), (early, [self.sign(early, self.old)])]))
        self.assertEqual(hub_node.read_json(self.paths.statement)["serial"], 2)
        self.assertFalse(self.keys.follow(signed, []))

    def test_what_no_believed_key_has_signed_changes_nothing(self) -> None:
        text = self.statement(1, self.stranger)
        self.refused(text)
        self.refused(text, self.sign(text, self.stranger), self.sign(text, self.package), "no signature")
        self.refused(text, self.sign(self.statement(1, self.old), self.old))

    def test_an_older_statement_is_not_taken_again(self) -> None:
        old, new = self.statement(1, self.old), self.statement(2, self.old, self.new)
        self.keys.take(new, [self.sign(new, self.old)])
        self.refused(old, self.sign(old, self.old))

    def test_a_statement_of_no_known_form_is_refused_though_it_is_signed(self) -> None:
        for text in ("", "[]", "{}", self.statement(1, self.old).replace(self.old, self.old.lower())):
            self.refused(text, self.sign(text, self.old))

    def test_a_kill_in_the_middle_is_made_good_by_the_next_run(self) -> None:
        text = self.statement(1, self.old, self.new)
        signatures = [self.sign(text, self.old)]
        with mock.patch.object(hub_node, "write_json", side_effect=KeyboardInterrupt):
            self.assertRaises(KeyboardInterrupt, self.keys.take, text, signatures)
        self.assertTrue(self.keys.take(text, signatures))


if __name__ == "__main__":
    unittest.main()
