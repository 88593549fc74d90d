"""Seeded damage to input files: values, parts and bytes that are missing, wrong or doubled."""

import gzip
import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Final, TypeAlias

Mutator: TypeAlias = Callable[[bytes, Random], bytes]

HOSTILE: Final = (
    "nan",
    "inf",
    "-inf",
    "-1",
    "0",
    "",
    " ",
    "1e300",
    "99999999999999",
    "-0.0001",
    "1e-300",
    "x",
    "\u00fc",
)
_OPTIONS: Final = (
    ("max-num-vehicles", "6", "0"),
    ("step-method.ballistic", "true"),
    ("lateral-resolution", "0.8"),
    ("random-depart-offset", "4"),
    ("route-steps", "5", "0"),
    ("eager-insert", "true"),
    ("extrapolate-departpos", "true"),
    ("default.action-step-length", "2"),
    ("collision.action", "remove", "none"),
    ("device.rerouting.probability", "0.5"),
    ("mesosim", "true"),
    ("threads", "2"),
    ("begin", "00:00:10", "-3"),
    ("load-state", "state.xml"),
    ("fcd-output", "fcd.xml"),
    ("remote-port", "8813"),
    ("random", "true"),
    ("no-internal-links", "true"),
    ("xml-validation", "always"),
    ("weight-files", "weights.xml"),
)
"""Options of SUMO, and values that it takes."""
_TAG: Final = re.compile(rb"<[A-Za-z][^<>]*>")
_ATTRIBUTE: Final = re.compile(rb"""\s([A-Za-z][\w.:-]*)\s*=\s*("[^"]*"|'[^']*')""")
_NUMBER: Final = re.compile(rb"(?<![\w.])-?\d+(?:\.\d+)?(?![\w.])")
_DEPTH: Final = 20_000


def damage(content: bytes, mutators: Sequence[Mutator], rng: Random) -> tuple[bytes, str]:
    """Return content damaged by one mutator, rarely by two or three, and the names of those; never the content itself.

    Args:
        content: the sound file.
        mutators: those that fit its format.
        rng: what is drawn.
    """
    while True:
        chosen = rng.choices(mutators, k=rng.choice((1, 1, 1, 2, 3)))
        found = content
        for one in chosen:
            found = one(found, rng)
        if found != content:
            return found, "+".join(getattr(one, "__name__", "?").strip("_") for one in chosen)


def packed_badly(content: bytes, rng: Random) -> bytes:
    """Return content gzipped, cut short, with a byte turned, or with garbage behind it."""
    packed = bytearray(gzip.compress(content, mtime=0))
    kind = rng.randrange(3)
    if kind == 0:
        return bytes(packed[: rng.randrange(1, len(packed))])
    if kind == 1:
        packed[rng.randrange(len(packed))] ^= 1 << rng.randrange(8)
        return bytes(packed)
    return bytes(packed) + rng.randbytes(40)


def _hostile(rng: Random) -> bytes:
    return rng.choice(HOSTILE).encode()


def _pick(pattern: re.Pattern[bytes], content: bytes, rng: Random) -> re.Match[bytes] | None:
    found = list(pattern.finditer(content))
    return rng.choice(found) if found else None


def _put(content: bytes, found: re.Match[bytes], text: bytes, group: int = 0) -> bytes:
    return content[: found.start(group)] + text + content[found.end(group) :]


def _element(content: bytes, rng: Random) -> tuple[int, int] | None:
    """Return where an element lies, with all that it holds."""
    found = _pick(_TAG, content, rng)
    if found is None:
        return None
    if found.group().endswith(b"/>"):
        return found.span()
    name = re.match(rb"<([^\s/>]+)", found.group()).group(1)  # type: ignore[union-attr]
    end = content.find(b"</" + name + b">", found.end())
    return (found.start(), end + len(name) + 3) if end >= 0 else found.span()


def drop_element(content: bytes, rng: Random) -> bytes:
    """Return the content without one element."""
    place = _element(content, rng)
    return content if place is None else content[: place[0]] + content[place[1] :]


def double_element(content: bytes, rng: Random) -> bytes:
    """Return the content with one element twice."""
    place = _element(content, rng)
    return content if place is None else content[: place[1]] + content[place[0] : place[1]] + content[place[1] :]


def swap_elements(content: bytes, rng: Random) -> bytes:
    """Return the content with two tags in each other's place."""
    first, second = _pick(_TAG, content, rng), _pick(_TAG, content, rng)
    if first is None or second is None or first.start() >= second.start():
        return content
    middle = content[first.end() : second.start()]
    return content[: first.start()] + second.group() + middle + first.group() + content[second.end() :]


def drop_kind(content: bytes, rng: Random) -> bytes:
    """Return the content without any element of one name."""
    found = _pick(_TAG, content, rng)
    if found is None:
        return content
    name = re.match(rb"<([^\s/>]+)", found.group()).group(1)  # type: ignore[union-attr]
    return re.sub(rb"</?" + re.escape(name) + rb"(?=[\s/>])[^<>]*>", b"", content)


def rename_element(content: bytes, rng: Random) -> bytes:
    """Return the content with one tag of another name."""
    found = _pick(re.compile(rb"(?<=<)[A-Za-z]\w*"), content, rng)
    other = _pick(re.compile(rb"(?<=<)[A-Za-z]\w*"), content, rng)
    return content if found is None or other is None else _put(content, found, other.group())


def drop_attribute(content: bytes, rng: Random) -> bytes:
    """Return the content without one attribute."""
    found = _pick(_ATTRIBUTE, content, rng)
    return content if found is None else _put(content, found, b"")


def double_attribute(content: bytes, rng: Random) -> bytes:
    """Return the content with one attribute twice, which no XML may have."""
    found = _pick(_ATTRIBUTE, content, rng)
    return content if found is None else _put(content, found, found.group() * 2)


def rename_attribute(content: bytes, rng: Random) -> bytes:
    """Return the content with one attribute of a name that nobody knows."""
    found = _pick(_ATTRIBUTE, content, rng)
    return content if found is None else _put(content, found, found.group(1) + b"X", 1)


def hostile_attribute(content: bytes, rng: Random) -> bytes:
    """Return the content with a value that cannot be meant."""
    found = _pick(_ATTRIBUTE, content, rng)
    return content if found is None else _put(content, found, b'"' + _hostile(rng) + b'"', 2)


def swap_values(content: bytes, rng: Random) -> bytes:
    """Return the content with the value of one attribute in another: ids and references that are broken."""
    found, other = _pick(_ATTRIBUTE, content, rng), _pick(_ATTRIBUTE, content, rng)
    return content if found is None or other is None else _put(content, found, other.group(2), 2)


def wrong_reference(content: bytes, rng: Random) -> bytes:
    """Return the content with one attribute's value lengthened, so that an id is not found any more."""
    found = _pick(_ATTRIBUTE, content, rng)
    return content if found is None else _put(content, found, found.group(2)[:-1] + b"9" + found.group(2)[-1:], 2)


def hostile_number(content: bytes, rng: Random) -> bytes:
    """Return the content with a number that cannot be meant."""
    found = _pick(_NUMBER, content, rng)
    return content if found is None else _put(content, found, _hostile(rng))


def nudge_number(content: bytes, rng: Random) -> bytes:
    """Return the content with a number that could be meant, and is another one."""
    found = _pick(_NUMBER, content, rng)
    return (
        content if found is None else _put(content, found, f"{float(found.group()) * rng.uniform(0.3, 3):.6g}".encode())
    )


def nest_deeply(content: bytes, rng: Random) -> bytes:
    """Return the content with very many elements within each other."""
    found = _pick(_TAG, content, rng)
    return (
        content if found is None else _put(content, found, found.group() + b"<param>" * _DEPTH + b"</param>" * _DEPTH)
    )


def truncate(content: bytes, rng: Random) -> bytes:
    """Return the beginning of the content."""
    return content[: rng.randrange(len(content))] if content else content


def flip_bytes(content: bytes, rng: Random) -> bytes:
    """Return the content with some bits turned."""
    changed = bytearray(content)
    for _ in range(rng.randrange(1, 6)):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def drop_bytes(content: bytes, rng: Random) -> bytes:
    """Return the content without a stretch in its middle."""
    if not content:
        return content
    begin = rng.randrange(len(content))
    return content[:begin] + content[begin + rng.randrange(1, 400) :]


def insert_garbage(content: bytes, rng: Random) -> bytes:
    """Return the content with random bytes in it."""
    place = rng.randrange(len(content) + 1)
    return content[:place] + rng.randbytes(rng.randrange(1, 30)) + content[place:]


def other_encoding(content: bytes, rng: Random) -> bytes:
    """Return the content in an encoding that it does not declare, or with a mark of one that it is not in."""
    match rng.randrange(4):
        case 0:
            return content.decode("latin-1").encode("utf-16")
        case 1:
            return b"\xef\xbb\xbf" + content
        case 2:
            return b"\xff\xfe" + content
        case _:
            return re.sub(rb"UTF-8", rng.choice([b"UTF-16", b"EBCDIC", b"none", b"ascii"]), content, count=1)


def nothing_left(_content: bytes, rng: Random) -> bytes:
    """Return nothing, or nothing that means anything."""
    return rng.choice([b"", b"\0" * 100, b"\n", b"<a/>", b"{}", b"<"])


def drop_line(content: bytes, rng: Random) -> bytes:
    """Return the content without one line."""
    lines = content.splitlines(keepends=True)
    if lines:
        del lines[rng.randrange(len(lines))]
    return b"".join(lines)


def double_line(content: bytes, rng: Random) -> bytes:
    """Return the content with one line twice."""
    lines = content.splitlines(keepends=True)
    if lines:
        place = rng.randrange(len(lines))
        lines.insert(place, lines[place])
    return b"".join(lines)


def shuffle_lines(content: bytes, rng: Random) -> bytes:
    """Return the lines, all but the first, in another order."""
    head, *rest = content.splitlines(keepends=True) or [b""]
    rng.shuffle(rest)
    return head + b"".join(rest)


def hostile_cell(content: bytes, rng: Random) -> bytes:
    """Return a table with a cell that cannot be meant."""
    found = _pick(re.compile(rb"[^,;\n]+"), content, rng)
    return content if found is None else _put(content, found, _hostile(rng))


def cut_cell(content: bytes, rng: Random) -> bytes:
    """Return a table with a separator less or more, or with a quote that nobody closes."""
    found = _pick(re.compile(rb"[,;]"), content, rng)
    return content if found is None else _put(content, found, rng.choice([b"", found.group() * 2, b'"', b"\t", b"|"]))


def change_indent(content: bytes, rng: Random) -> bytes:
    """Return YAML with a line further in, or with a bracket, a colon or a tab that does not belong there."""
    found = _pick(re.compile(rb"[\n:{}\[\],]"), content, rng)
    return (
        content
        if found is None
        else _put(
            content,
            found,
            found.group()
            + rng.choice([b" ", b"\t", b"[", b"}", b":", b"- ", b"&a ", b"*a ", b"!!python/name:os.system "]),
        )
    )


def other_option(content: bytes, rng: Random) -> bytes:
    """Return a SUMO configuration with an option more, or another one in the place of one."""
    options = [match for match in _TAG.finditer(content) if b"value" in match.group()]
    if not options:
        return content
    found, (name, *values) = rng.choice(options), rng.choice(_OPTIONS)
    text = f'<{name} value="{rng.choice((*values, *values, *HOSTILE))}"/>'.encode()
    return _put(content, found, text if rng.random() < 0.3 else found.group() + text)


BYTES: Final[tuple[Mutator, ...]] = (truncate, flip_bytes, drop_bytes, insert_garbage, other_encoding, nothing_left)
XML: Final[tuple[Mutator, ...]] = (
    *(drop_element, double_element, swap_elements, drop_kind, rename_element, drop_attribute, double_attribute) * 2,
    *(rename_attribute, hostile_attribute, swap_values, wrong_reference, hostile_number) * 2,
    *(nudge_number,) * 6,
    nest_deeply,
    *BYTES,
)
TABLE: Final[tuple[Mutator, ...]] = (
    *(drop_line, double_line, shuffle_lines, hostile_cell, cut_cell, hostile_number) * 2,
    *BYTES,
)
YAML_TEXT: Final[tuple[Mutator, ...]] = (
    *(drop_line, double_line, hostile_number, hostile_cell, change_indent) * 2,
    *BYTES,
)
