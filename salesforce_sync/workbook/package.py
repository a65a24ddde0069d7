"""The zip package that an .xlsx file is: its parts, streamed, within bounds. Nothing is ever unpacked to disk."""

from __future__ import annotations

import posixpath
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any
from xml.parsers import expat

from msgspec import Struct

from salesforce_sync.errors import NotAWorkbook, WorkbookEncrypted, WorkbookTooLarge

try:  # a third of zlib's CPU; there are no wheels for every machine
    from isal import isal_zlib
except ImportError:  # pragma: no cover
    _inflater: Any = zlib.decompressobj
    _crc: Any = zlib.crc32
    _failures: Any = zlib.error
else:
    _inflater = isal_zlib.decompressobj
    _crc = isal_zlib.crc32
    _failures = (isal_zlib.error, zlib.error)

BLOCK = 1 << 16
MEGABYTE = 1 << 20
PARTS_AT_MOST = 10_000
TOKEN_AT_MOST = 4 * MEGABYTE
"""A longer tag is none that any program writes."""
RATIO_COUNTS_FROM = 16 * MEGABYTE
"""Small parts may be as repetitive as they like."""

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_RAW_DEFLATE = -15


_SAVE_ANEW = (
    "Edit the workbook that export wrote, and save it as .xlsx (Excel 2007-365): other formats, a .csv above all, do"
    " not keep what an import needs."
)


class Bounds(Struct, frozen=True):
    """The most that a workbook may be: the file, what it unpacks to, and how many times more that is."""

    file_bytes: int = 200 * MEGABYTE
    expanded_bytes: int = 4_000 * MEGABYTE
    ratio: int = 300


USUAL_BOUNDS = Bounds()


class Package:
    """An open .xlsx file. Close it, or use it in a `with` block."""

    def __init__(self, path: Path, bounds: Bounds = USUAL_BOUNDS) -> None:
        self.path = path
        self._bounds = bounds
        self._expanded = 0
        _check_size(path, bounds)
        self._file = path.open("rb")
        try:
            self._parts = _directory(path, self._file)
            self._check_declared()
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        """Give the file back."""
        self._file.close()

    def __enter__(self) -> Package:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def names(self) -> tuple[str, ...]:
        """The names of all parts, in the order of the file."""
        return tuple(info.filename for info in self._parts.values())

    def has(self, name: str) -> bool:
        """Whether there is such a part; letter case does not count in them."""
        return name.casefold() in self._parts

    def read(self, name: str) -> Iterator[bytes]:
        """The part's bytes, in blocks; `WorkbookTooLarge` as soon as they are more than the bounds allow."""
        info = self._parts.get(name.casefold())
        if info is None:
            raise damaged(self.path, f"its part {name!r} is missing")
        got, sum_ = 0, 0
        for block in _inflated(self.path, self._file, info):
            got += len(block)
            if got > info.file_size:
                break  # its directory lies: how much more there is matters no more
            self._expanded += len(block)
            sum_ = _crc(block, sum_)
            self._check_expanded(self._expanded)  # a part may be read more than once
            yield block
        if got != info.file_size or sum_ != info.CRC:
            raise damaged(self.path, f"its part {name!r} is cut or changed")

    def _check_declared(self) -> None:
        """Refuse what unpacks to too much by its own word, before any of it is read."""
        self._check_expanded(sum(info.file_size for info in self._parts.values()))
        for name, info in self._parts.items():
            if name.endswith(".xml"):  # no other part is ever read: a picture may be white from edge to edge
                self._check_ratio(info)

    def _check_expanded(self, expanded: int) -> None:
        if expanded > self._bounds.expanded_bytes:
            most = self._bounds.expanded_bytes // MEGABYTE
            raise WorkbookTooLarge(
                f"{self.path.name} unpacks to more than {most} MB.",
                hint="Export fewer objects, or raise workbook.max_expanded_mb if you trust the file.",
            )

    def _check_ratio(self, info: zipfile.ZipInfo) -> None:
        size = info.file_size
        if size > RATIO_COUNTS_FROM and size > self._bounds.ratio * max(info.compress_size, 1):
            raise WorkbookTooLarge(
                f"{self.path.name} unpacks to more than {self._bounds.ratio} times its size, as zip bombs do.",
                hint="Save it once more in Excel, or raise workbook.max_ratio if you trust the file.",
            )

    def feed(self, name: str, parser: expat.XMLParserType) -> Feed:
        """A way to give a part to an XML parser piece by piece."""
        return Feed(self.path, name, parser)

    def parse(self, name: str, parser: expat.XMLParserType) -> Iterator[None]:
        """Give a whole part to an XML parser; yields after each block."""
        feed = self.feed(name, parser)
        for block in self.read(name):
            feed(block)
            yield
        feed.end()
        yield

    def elements(self, name: str, met: Callable[[str, Mapping[str, str]], None]) -> None:
        """Tell each element of a part by its local name, with its attributes' local names."""
        parser = expat.ParserCreate(namespace_separator=" ")

        def start(tag: str, attributes: Mapping[str, str]) -> None:
            met(_local(tag), {_local(key): value for key, value in attributes.items()})

        parser.StartElementHandler = start
        for _ in self.parse(name, parser):
            pass

    def relations(self, name: str) -> dict[str, Relation]:
        """What a part refers to, by relationship id."""
        folder, file = posixpath.split(name)
        rels = posixpath.join(folder, "_rels", f"{file}.rels")
        found: dict[str, Relation] = {}

        def met(tag: str, attributes: Mapping[str, str]) -> None:
            if tag == "Relationship" and attributes.get("TargetMode", "Internal").casefold() != "external":
                kind = attributes.get("Type", "").rpartition("/")[2]
                found[attributes.get("Id", "")] = Relation(kind, _target(folder, attributes.get("Target", "")))

        if self.has(rels):
            self.elements(rels, met)
        return found


class Feed:
    """Gives a part to an XML parser, which takes neither document types nor endless tags."""

    def __init__(self, path: Path, name: str, parser: expat.XMLParserType) -> None:
        self._path, self._name, self._parser = path, name, parser
        self._fed = 0
        parser.StartDoctypeDeclHandler = self._refuse

    def __call__(self, block: bytes) -> None:
        """The next bytes."""
        self._parse(block, False)
        self._fed += len(block)
        if self._fed - self._parser.CurrentByteIndex > TOKEN_AT_MOST:
            raise damaged(self._path, f"its part {self._name!r} has a tag of more than {TOKEN_AT_MOST:,} bytes")

    def end(self) -> None:
        """That was all."""
        self._parse(b"", True)

    def _parse(self, block: bytes, last: bool) -> None:
        try:
            self._parser.Parse(block, last)
        except expat.ExpatError as error:
            raise damaged(self._path, f"its part {self._name!r} is no proper XML ({error})") from error

    def _refuse(self, *_: object) -> None:
        raise damaged(self._path, "it declares XML entities or a document type, which no spreadsheet program does")


class Relation(Struct, frozen=True):
    """A part that another one refers to: the last word of the relationship's type, and the part's name."""

    kind: str
    target: str


def _local(name: str) -> str:
    return name.rpartition(" ")[2]


def _target(folder: str, target: str) -> str:
    """The part's name: relative targets start at the folder, absolute ones at the package. Never outside of it."""
    path = target.replace("\\", "/")
    whole = path if path.startswith("/") else posixpath.join("/", folder, path)
    return posixpath.normpath(whole).lstrip("/")


def damaged(path: Path, why: str) -> NotAWorkbook:
    """What is wrong with a file that no spreadsheet program has written so."""
    return NotAWorkbook(
        f"{path.name} cannot be read: {why}.", hint="Open it in Excel or LibreOffice and save it as .xlsx once more."
    )


# ── the file ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _check_size(path: Path, bounds: Bounds) -> None:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise NotAWorkbook(f"{path} cannot be opened: {error.strerror}.", hint="Give the path of a file.") from error
    if not path.is_file():
        raise NotAWorkbook(f"{path} is not a file.", hint="Give the path of an .xlsx workbook.")
    if size > bounds.file_bytes:
        raise WorkbookTooLarge(
            f"{path.name} has {size // MEGABYTE} MB, and {bounds.file_bytes // MEGABYTE} MB are allowed.",
            hint="Export fewer objects, or raise workbook.max_mb.",
        )


def _directory(path: Path, file: IO[bytes]) -> dict[str, zipfile.ZipInfo]:
    start = file.read(8)
    if start == OLE:
        raise _ole(path, file)
    if not start.startswith(b"PK"):
        raise NotAWorkbook(f"{path.name} is not an .xlsx workbook.", hint=_SAVE_ANEW)
    try:
        infos = zipfile.ZipFile(file).infolist()
    # What zipfile raises for a broken package; NotImplementedError: for a later version of the format than it reads.
    except (zipfile.BadZipFile, ValueError, struct.error, NotImplementedError) as error:
        raise damaged(path, f"its package is damaged or cut ({error})") from error
    if len(infos) > PARTS_AT_MOST:
        raise WorkbookTooLarge(f"{path.name} has {len(infos):,} parts; no workbook has so many.")
    parts = {_part_name(path, info): info for info in infos if not info.is_dir()}
    if len(parts) < sum(not info.is_dir() for info in infos):
        raise damaged(path, "two of its parts have one name")
    if "mimetype" in parts and "content.xml" in parts:
        raise NotAWorkbook(f"{path.name} is an OpenDocument file.", hint=_SAVE_ANEW)
    return parts


def _part_name(path: Path, info: zipfile.ZipInfo) -> str:
    name = info.filename
    if name.startswith("/") or "\\" in name or ":" in name or ".." in name.split("/"):
        raise damaged(path, f"it has a part of the name {name!r}, which leads out of it")
    if info.flag_bits & 1:
        raise WorkbookEncrypted(f"{path.name} is an encrypted zip file.", hint="Save it as .xlsx with Excel.")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise damaged(path, f"its part {name!r} is compressed in a way that workbooks are not")
    return name.casefold()


def _ole(path: Path, file: IO[bytes]) -> Exception:
    """An OLE file is an encrypted workbook, or one of the old format."""
    last = b""
    while block := file.read(BLOCK):
        if _ENCRYPTED in last + block:
            return WorkbookEncrypted(
                f"{path.name} has a password.", hint="Give it: salesforce-sync import WORKBOOK --password"
            )
        last = block[-len(_ENCRYPTED) :]
    return NotAWorkbook(f"{path.name} is a workbook of the old .xls format.", hint=_SAVE_ANEW)


def _inflated(path: Path, file: IO[bytes], info: zipfile.ZipInfo) -> Iterator[bytes]:
    """The bytes of one part. `ZipFile.open` would do, but its zlib takes three times as long."""
    place, left = _data_of(path, file, info), info.compress_size
    machine = _inflater(_RAW_DEFLATE) if info.compress_type == zipfile.ZIP_DEFLATED else None
    while left and not (machine and machine.eof):
        file.seek(place)  # other parts may be read in between
        raw = file.read(min(BLOCK, left))
        if not raw:
            raise damaged(path, "it ends too early")
        place, left = place + len(raw), left - len(raw)
        if machine is None:
            yield raw
            continue
        while raw and not machine.eof:
            try:
                block = machine.decompress(raw, BLOCK)
            except _failures as error:
                raise damaged(path, f"its part {info.filename!r} is damaged ({error})") from error
            raw = machine.unconsumed_tail
            if block:
                yield block
    if machine is not None and not machine.eof:
        yield from _rest(path, machine, info)


def _rest(path: Path, machine: Any, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """What the machine still holds back of a stream whose bytes it has all seen."""
    while not machine.eof:
        try:
            block = machine.decompress(b"", BLOCK)
        except _failures as error:
            raise damaged(path, f"its part {info.filename!r} is damaged ({error})") from error
        if not block:
            return
        yield block


def _data_of(path: Path, file: IO[bytes], info: zipfile.ZipInfo) -> int:
    file.seek(info.header_offset)
    header = file.read(_LOCAL_HEADER.size)
    if len(header) < _LOCAL_HEADER.size:
        raise damaged(path, "it ends too early")
    magic, name_length, extra_length = _LOCAL_HEADER.unpack(header)
    if magic != b"PK\x03\x04":
        raise damaged(path, f"its part {info.filename!r} is not where its directory says")
    return info.header_offset + _LOCAL_HEADER.size + int(name_length) + int(extra_length)
