"""Reads what strace has written of a server: which answers left before the disk had what they acknowledge.

An answer is in order when after the last byte of its request was read a commit began to be written to the journal, and
a sync of that returned without an error before the answer was handed to the kernel.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

CALLS: Final = "read,readv,recvfrom,recvmsg,write,writev,sendto,sendmsg,pwrite64,pwritev,fsync,fdatasync"

_LINE: Final = re.compile(r"^(?P<pid>\d+) +(?P<rest>.*)$")
_CALL: Final = re.compile(r"^(?P<name>\w+)\((?P<fd>\d+<(?:[^<>]|<[^<>]*>|->)*>)(?P<more>.*)$")
_RESUMED: Final = re.compile(r"^<\.\.\. (?P<name>\w+) resumed>(?P<more>.*)$")
_RETURNED: Final = re.compile(r"\) += +(?P<result>-?\d+)[^=]*$")
_READS: Final = ("read", "readv", "recvfrom", "recvmsg")
_WRITES: Final = ("write", "writev", "sendto", "sendmsg", "pwrite64", "pwritev")
_SYNCS: Final = ("fsync", "fdatasync")
_SYNCS_KEPT: Final = 100
_METHOD: Final = re.compile(r'"(?P<method>GET|POST) /')


class Call(NamedTuple):
    """One system call of one thread.

    Attributes:
        name: Of the call.
        fd: Of what, with its path or address.
        text: The rest of what strace wrote.
        began: The number of the line on which it began.
        ended: The number of the line on which it returned.
        result: What it returned.
    """

    name: str
    fd: str
    text: str
    began: int
    ended: int
    result: int


@dataclass(slots=True)
class Order:
    """What came before what.

    Attributes:
        acknowledged: Answers to a POST that said 200.
        too_early: Those of them that left before the disk had what they acknowledge, as strace wrote them.
        syncs: Completed syncs of the journal.
    """

    acknowledged: int = 0
    too_early: list[str] = field(default_factory=list)
    syncs: int = 0
    _asked: dict[str, int] = field(default_factory=dict)
    _posts: set[str] = field(default_factory=set)
    _written: int | None = None
    _synced: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=_SYNCS_KEPT))

    def note(self, call: Call) -> None:
        """Take notice of a call; in the order in which they returned."""
        if call.name in _SYNCS and "-wal" in call.fd and call.result == 0:
            self._sync(call)
        elif call.name in _READS and _is_socket(call.fd) and call.result > 0:
            self._read(call)
        elif call.name in _WRITES and "-wal" in call.fd:
            self._written = self._written or call.began
        elif call.name in _WRITES and '"HTTP/1.1 200' in call.text and call.fd in self._posts:
            self._answered(call)

    def _read(self, call: Call) -> None:
        if method := _METHOD.search(call.text):
            (self._posts.add if method["method"] == "POST" else self._posts.discard)(call.fd)
        self._asked[call.fd] = call.ended

    def _sync(self, call: Call) -> None:
        """Keep when the writes that this made safe began, and when they were safe."""
        self.syncs += 1
        if self._written is not None and self._written < call.began:
            self._synced.append((self._written, call.ended))
            self._written = None

    def _answered(self, call: Call) -> None:
        """Look for a commit that began after the request had come, and was safe before the answer left."""
        self.acknowledged += 1
        asked = self._asked[call.fd]
        if not any(asked < written and synced < call.began for written, synced in self._synced):
            self.too_early.append(f"{call.fd} {call.text} (line {call.began} of the trace, asked in {asked})")


def calls(lines: Iterable[str]) -> Iterator[Call]:
    """Yield the calls, each when it has returned."""
    begun: dict[str, tuple[str, str, str, int]] = {}
    for number, line in enumerate(lines):
        if (found := _LINE.match(line)) is None:
            continue
        pid, rest = found["pid"], found["rest"]
        if call := _CALL.match(rest):
            begun[pid] = call["name"], call["fd"], call["more"], number
        elif (resumed := _RESUMED.match(rest)) and pid in begun:
            name, fd, text, began = begun[pid]
            begun[pid] = name, fd, text + resumed["more"], began
        else:
            continue
        if not rest.endswith("<unfinished ...>") and (returned := _RETURNED.search(rest)):
            name, fd, text, began = begun.pop(pid)
            yield Call(name, fd, text, began, number, int(returned["result"]))


def _is_socket(fd: str) -> bool:
    return "<socket:" in fd or "<TCP" in fd
