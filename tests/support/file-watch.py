"""
Tells which files below a folder are opened, read or written, by whomever, while it runs: by inotify(7), so nothing of the
one that is watched has to be changed or traced. Prints "watching" once it does; when its input ends, a JSON object of
relative path to number of events. Folders that come later are not watched.

    file-watch.py <folder>
"""
import ctypes
import json
import os
import struct
import sys

ACCESS, MODIFY, OPEN, CREATE, IS_DIR, OVERFLOW = 0x1, 0x2, 0x20, 0x100, 0x40000000, 0x4000
HEAD = struct.Struct("iIII")


def main():
    root = sys.argv[1]
    libc = ctypes.CDLL(None, use_errno=True)
    queue = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    folders = {}
    for folder, _, _ in os.walk(root):
        watch = libc.inotify_add_watch(queue, os.fsencode(folder), ACCESS | MODIFY | OPEN | CREATE)
        if queue < 0 or watch < 0:
            sys.exit(f"inotify: {os.strerror(ctypes.get_errno())}")
        folders[watch] = folder
    print("watching", flush=True)
    sys.stdin.read()
    print(json.dumps(counted(queue, folders, root)))


def counted(queue, folders, root):
    counts = {}
    while True:
        try:
            events = os.read(queue, 1 << 20)
        except BlockingIOError:
            return counts
        at = 0
        while at < len(events):
            watch, mask, _, length = HEAD.unpack_from(events, at)
            name = os.fsdecode(events[at + HEAD.size : at + HEAD.size + length].rstrip(b"\0"))
            at += HEAD.size + length
            if mask & OVERFLOW:
                sys.exit("more events than inotify keeps")
            if not mask & IS_DIR:
                path = os.path.relpath(os.path.join(folders[watch], name), root)
                counts[path] = counts.get(path, 0) + 1


main()
