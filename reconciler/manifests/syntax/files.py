"""Files → documents; a file, or a part of one, that can't be read hides no other."""

import os
import re
import stat
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import yaml

from reconciler.core.model import SourceLocation
from reconciler.manifests.syntax import errors as syntax
from reconciler.manifests.syntax.nodes import Issue, IssueRank, ManifestDocument
from reconciler.manifests.syntax.parser import YamlParser

LARGEST = 4_000_000
_DIRECTIVES = re.compile(r"(?:%[^\n]*\n)+(?=---)")
_NEXT_DOCUMENT = re.compile(r"^---(?=[ \t\r\n]|$)", re.MULTILINE)


class ParsedFiles(NamedTuple):
    """`complete` is False when a part was lost, and with it perhaps names that others refer to."""

    documents: list[ManifestDocument]
    flaws: list[Issue]
    complete: bool


def read(root: Path, files: list[str]) -> ParsedFiles:
    """Reads files, named relative to the project root."""
    readings = [_read_file(root / file, file) for file in files]
    return ParsedFiles(
        [document for reading in readings for document in reading.documents],
        [flaw for reading in readings for flaw in reading.flaws],
        all(reading.complete for reading in readings),
    )


def _read_file(path: Path, file: str) -> ParsedFiles:
    try:
        if unfit := _unfit(path.stat()):
            return _unread(file, *unfit)
        data = path.read_bytes()
    except OSError:
        return _unread(file, "the file can't be read", "check that it is a file, and its permissions")
    return decode(data, file)


def decode(data: bytes, file: str) -> ParsedFiles:
    """All documents of the bytes of one file."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return ParsedFiles([], [syntax.undecodable(file, data, error)], complete=False)
    return parse(text, file)


def _unfit(status: os.stat_result) -> tuple[str, str] | None:
    """Return why a file is not opened: a pipe would never end, and a huge file would use all memory."""
    if not stat.S_ISREG(status.st_mode):
        return "this is no file that can be read", "remove it, or give it another ending"
    if status.st_size > LARGEST:
        return "the file is larger than 4 MB", "people belong in source files; divide manifests by audience"
    return None


def _unread(file: str, problem: str, remedy: str) -> ParsedFiles:
    return ParsedFiles(
        [], [Issue(SourceLocation(file, 1, 1), IssueRank.STRUCTURE, problem, remedy)], complete=False
    )


def parse(text: str, file: str) -> ParsedFiles:
    """All documents of one text, each read by itself: a syntax error in one hides no other."""
    if flaw := syntax.conflict(file, text) or syntax.unprintable(file, text) or syntax.tab(file, text):
        return ParsedFiles([], [flaw], complete=False)
    documents: list[ManifestDocument] = []
    flaws: list[Issue] = []
    complete = True
    for part, line in _parts(text):
        composer = YamlParser(file, part, line)
        try:
            composer.run()
        except yaml.YAMLError as error:
            complete = False
            flaws.append(syntax.translate(error, file, part, line))
        documents += [document for document in composer.documents if document.root.value is not None]
        flaws += composer.flaws
    if not documents and not flaws:
        problem = "the file holds no manifest"
        flaws.append(
            Issue(
                SourceLocation(file, 1, 1),
                IssueRank.STRUCTURE,
                problem,
                "add a document with `kind:`, or delete it",
            )
        )
    return ParsedFiles(documents, flaws, complete)


def _parts(text: str) -> Iterator[tuple[str, int]]:
    """The text between lines of `---`, which end whatever is open there, and the line where each begins."""
    begin = _DIRECTIVES.match(text)
    markers = _NEXT_DOCUMENT.finditer(text, begin.end() + 1 if begin else 0)
    starts = [0, *(found.start() for found in markers), len(text)]
    line = 0
    for start, end in pairwise(starts):
        if part := text[start:end]:
            yield part, line
            line += syntax.lines(part)
