"""Records which files the reference implementation of safetensors takes, for test/golden/safetensors.json.gz. No test needs Python.

    python3 -m venv /tmp/safetensors
    /tmp/safetensors/bin/pip install safetensors==0.8.0
    /tmp/safetensors/bin/python tools/record_safetensors.py
    /tmp/safetensors/bin/python tools/record_safetensors.py --random 100000 --seed 7 --out /tmp/many.json.gz
    npm run build && node tools/safetensors-verdicts.mjs /tmp/many.json.gz

Files made by hand, each around one rule of the format, and files by chance: valid headers with up to three faults. The same seed gives
the same files. The format is described in test/golden/README.md.
"""

import argparse
import base64
import gzip
import importlib.metadata
import json
import math
import pathlib
import random
import re
import struct

import safetensors

# A policy of 4 observations, a hidden layer of 2 and 2 actions, as spc writes it.
SHAPE = '{"actions":2,"gaussian":false,"hidden":[2],"obsDim":4,"separate":false}'
META = {"format": "spc-policy-1", "shape": SHAPE}
WEIGHTS = {"trunk.0.W": [4, 2], "trunk.0.b": [2], "policyHead.W": [2, 2], "policyHead.b": [2], "valueHead.W": [2, 1], "valueHead.b": [1]}
DATA = struct.pack("<19f", *(round(math.sin(i + 1), 3) for i in range(19)))
BITS = {"BOOL": 8, "U8": 8, "I8": 8, "U16": 16, "I16": 16, "U32": 32, "I32": 32, "U64": 64, "I64": 64, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6}
BITS |= {"F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "F16": 16, "BF16": 16, "F32": 32, "F64": 64, "C64": 64}


def entry(shape, start, dtype="F32", length=None):
    bits = BITS.get(dtype, 32) * math.prod(shape)
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, start + (bits // 8 if length is None else length)]}


def policy(start=0):
    """The six tensors, as pairs of name and entry: a list, for a name may be there twice."""
    pairs = []
    for name, shape in WEIGHTS.items():
        pairs.append((name, entry(shape, start)))
        start = pairs[-1][1]["data_offsets"][1]
    return pairs


class Raw(str):
    """Text that stands in the header as it is."""


def show(value):
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, list) and all(isinstance(x, tuple) for x in value) and value:
        return "{" + ",".join(f"{key if isinstance(key, Raw) else json.dumps(key)}:{show(x)}" for key, x in value) + "}"
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{show(x)}" for key, x in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(show(x) for x in value) + "]"
    return json.dumps(value)


def whole(header, data=DATA, length=None):
    text = header if isinstance(header, bytes) else (header if isinstance(header, str) else show(header)).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def by_hand():
    """Pairs of what a file is and its bytes."""
    meta = ("__metadata__", META)
    good = [meta, *policy()]
    text = show(good)

    def weights(change, data=DATA):
        """The policy whose first tensor is another."""
        return whole([meta, ("trunk.0.W", change), *policy()[1:]], data)

    def first(**change):
        return {**policy()[0][1], **change}

    def besides(name, value, data=b"", pairs=None):
        """The policy and one more tensor behind it."""
        return whole([*(pairs or good), (name, value)], DATA + data)

    def field(text_of_field):
        """The policy whose first tensor has one more field."""
        return weights(Raw(show(first())[:-1] + "," + text_of_field + "}"))

    yield "a policy", whole(good)
    yield "a policy, padded", whole(text + " " * (-len(text) % 8))
    yield "tensors in the opposite order", whole(good[::-1])
    yield "tensors in alphabetical order", whole(sorted(good))
    yield "metadata in the middle", whole([*policy()[:3], meta, *policy()[3:]])

    # the length
    yield "no bytes", b""
    yield "7 bytes", b"\0" * 7
    yield "a length and nothing", struct.pack("<Q", 0)
    yield "a length of 0, and data", struct.pack("<Q", 0) + DATA
    yield "a length of 1", struct.pack("<Q", 1) + b"{"
    yield "an empty header", whole("{}", b"")
    yield "an empty header, and data", whole("{}")
    yield "metadata and nothing else", whole([meta], b"")
    yield "a length that is 1 too small", whole(text, length=len(text) - 1)
    yield "a length that is 1 too large", whole(text, length=len(text) + 1)
    for length in (len(text) + len(DATA) + 1, 100_000_000, 100_000_001, 2**31, 2**32 + len(text), 2**53, 2**63, 2**64 - 1, 2**64 - 8):
        yield f"a length of {length}", whole(text, length=length)
    yield "a length in big-endian", struct.pack(">Q", len(text)) + text.encode() + DATA
    for cut in (1, 4, 8, len(DATA), len(DATA) + 1, len(DATA) + len(text)):
        yield f"cut by {cut} bytes", whole(good)[:-cut]
    for more in (b"\0", b" ", b"\n", b"\0" * 4, b"\0" * 100, whole(good)):
        yield f"{len(more)} bytes behind the data", whole(good) + more

    # the header's text
    for name, blank in {"a space": " ", "a tab": "\t", "a newline": "\n", "CR": "\r", "form feed": "\f", "a no-break space": "\u00a0", "BOM": "\ufeff", "NUL": "\0"}.items():
        yield f"{name} before the header", whole(blank + text)
        yield f"{name} behind the header", whole(text + blank)
        yield f"{name} inside the header", whole(text.replace(":", ":" + blank, 1))
    yield "blanks everywhere", whole(json.dumps(dict(good), indent=1))
    yield "a header in UTF-16", whole(text.encode("utf-16"))
    for more in ("{}", "x", ",", "}", "//", "/* */", "null"):
        yield f"{more} behind the header", whole(text + more)
    yield "a comma too many", whole(text[:-1] + ",}")
    yield "a comma too many in a shape", weights(first(shape=Raw("[4,2,]")))
    yield "a comma missing", whole(text.replace(",", "", 1))
    yield "no closing brace", whole(text[:-1])
    yield "single quotes", whole(text.replace('"', "'"))
    yield "names without quotes", whole(text.replace('"trunk.0.W"', "trunk"))
    for header in ("[]", "null", "1", '"x"', "true", f"[{text}]"):
        yield f"{header[:5]} as header", whole(header, b"")
    yield "bytes that are no UTF-8 in a name", besides("x", entry([0], 76)).replace(b'"x"', b'"\xff"')
    yield "half a surrogate pair in UTF-8", besides("xxx", entry([0], 76)).replace(b"xxx", b"\xed\xa0\x80")
    yield "an overlong slash", besides("xx", entry([0], 76)).replace(b"xx", b"\xc0\xaf")
    yield "a code point behind the last", besides("xxxx", entry([0], 76)).replace(b"xxxx", b"\xf4\x90\x80\x80")
    for name in ("", "ü", "日本", "😀", "\u2028", "__proto__", "constructor", "toString", "__metadata", "__metadata__ ", "a/b", "\u007f", "x" * 5000, "0", "length"):
        yield f"an empty tensor named {name[:20]!r}", besides(name, entry([0], 76))
    for escape in (r"\u0041", r"\"", r"\/", r"\b\f\n\r\t", r"\u0000", r"\ud83d\ude00", r"\uD83D\uDE00", r"\ud800", r"\udc00", r"\ud800\ud800", r"\udc00\ud800", r"\ud800x", r"\x41", r"\u004", r"\u00zz", r"\a", r"\'", "\\\n"):
        yield f"the escape {escape!r} in a name", besides(Raw(f'"{escape}"'), entry([0], 76))
        yield f"the escape {escape!r} in an unknown field", field(f'"x":"{escape}"')
    for code in (0, 1, 9, 10, 13, 31):
        yield f"character {code} in a name", besides(Raw(f'"a{chr(code)}b"'), entry([0], 76))

    # what is there twice
    yield "a tensor twice, the same", whole([*good, good[-1]])
    yield "a tensor twice, elsewhere", whole([*good, ("policyHead.b", entry([2], 32))])
    yield "a tensor twice, the first out of place", whole([("policyHead.b", entry([2], 999)), *good])
    yield "a tensor twice, the first too long", whole([("policyHead.b", entry([7, 7], 56, length=8)), *good])
    yield "a tensor twice, the first null", whole([("policyHead.b", None), *good])
    yield "a tensor twice, the last null", whole([*good, ("policyHead.b", None)])
    yield "a tensor twice, the first of an unknown type", whole([("policyHead.b", entry([2], 56, "X")), *good])
    yield "a tensor twice, once by an escape", whole([*good, (Raw(r'"policyHead\u002eb"'), entry([2], 56))])
    yield "a tensor twice, once by an escape, elsewhere", whole([*good, (Raw(r'"policyHead\u002eb"'), entry([2], 32))])
    yield "a tensor three times", whole([good[1], *good, good[1]])
    for name in ("dtype", "shape", "data_offsets"):
        yield f"{name} twice", field(f'"{name}":{show(first()[name])}')
        yield f"{name} twice, once by an escape", field(f'"{name.replace("t", chr(92) + "u0074")}":{show(first()[name])}')
        yield f"{name} missing", weights({key: value for key, value in first().items() if key != name})
        for value in (None, True, 1, "F32", [], [0], {}, "", [[4, 2]], ["4", "2"], [None, 2], [4, 2, 3], [0, 32, 32], "[0,32]", {"0": 0, "1": 32}):
            yield f"{name} {show(value)}", weights(first(**{name: value}))
    yield "an unknown field twice", field('"x":1,"x":2')

    # metadata
    for value in (None, {}, [], "x", 1, True, {"format": "pt"}, {"format": None}, {**META, "x": None}, {**META, "x": 1}, {**META, "x": {}}, {**META, "x": ["y"]}, {**META, "x": True}, {**META, "x": ""}, {**META, "": "y"}):
        yield f"metadata {show(value)[-20:]}", whole([("__metadata__", value), *policy()])
    yield "metadata missing", whole(policy())
    yield "metadata twice", whole([meta, meta, *policy()])
    yield "metadata twice, first null", whole([("__metadata__", None), *good])
    yield "metadata twice, once by an escape", whole([*good, (Raw(r'"\u005f_metadata__"'), META)])
    yield "metadata by an escape", whole([(Raw(r'"\u005f_metadata__"'), META), *policy()])
    yield "a key of metadata twice", whole([("__metadata__", [("format", "x"), *META.items()]), *policy()])
    yield "a key of metadata twice, the last another", whole([("__metadata__", [*META.items(), ("format", "x")]), *policy()])
    yield "a key of metadata twice, the first no text", whole([("__metadata__", [("format", 1), *META.items()]), *policy()])
    yield "__proto__ in metadata", whole([("__metadata__", {**META, "__proto__": "x"}), *policy()])
    yield "metadata with the name of a tensor", whole([("__metadata__", {**META, "trunk.0.W": "x"}), *policy()])
    yield "metadata that is a tensor", whole([("__metadata__", entry([1], 0)), *policy()])
    yield "metadata in capitals", whole([("__METADATA__", META), *policy()])
    yield "metadata with a shape that is no JSON", whole([("__metadata__", {**META, "shape": "{"}), *policy()])
    yield "metadata with another shape", whole([("__metadata__", {**META, "shape": SHAPE.replace("[2]", "[3]")}), *policy()])
    yield "metadata with a huge shape", whole([("__metadata__", {**META, "shape": SHAPE.replace("[2]", "[2000000,2000000]")}), *policy()])

    # entries
    for value in (None, 1, "x", True, [], {}, [None], ["F32", [4, 2], [0, 32]], ["F32", [4, 2], [0, 32], 1], ["F32", [4, 2]], [[4, 2], "F32", [0, 32]], [["F32", [4, 2], [0, 32]]]):
        yield f"a tensor that is {show(value)}", weights(value)
    for value in (1, [1, {"a": None}], {"a": {"b": []}}, Raw("1e400"), Raw("-1e400"), Raw("1e-400"), Raw("0e99999"), Raw("123456789012345678901234567890"), Raw("1." + "0" * 400), Raw("-"), Raw("1."), Raw(".5"), Raw("01"), Raw("-01"), Raw("+1"), Raw("1e"), Raw("NaN"), Raw("Infinity"), Raw("0x1"), Raw("tru"), Raw("True"), Raw("nullx"), Raw("undefined"), Raw("1" + "0" * 309), Raw("[1,]"), Raw("{,}"), Raw("[1 2]"), Raw("{1:2}")):
        yield f"an unknown field {show(value)[:30]}", field(f'"x":{show(value)}')
    for depth in (100, 124, 125, 126, 127, 128, 1000, 100_000):
        yield f"an unknown field of {depth} lists", field(f'"x":{"[" * depth}{"]" * depth}')
        yield f"an unknown field of {depth} objects", field('"x":' + '{"a":' * depth + "1" + "}" * depth)
    yield "fields in another order", weights(dict(reversed(first().items())))
    yield "fields in capitals", weights({key.upper(): value for key, value in first().items()})

    # numbers
    for number in ("4.0", "4e0", "40e-1", "4E0", "04", "+4", "-4", "-0", "0x4", '"4"', "null", "true", "4 ", " 4", "4_0", "[4]", "4.", "18446744073709551615", "18446744073709551616", "9007199254740993", "4" + "0" * 50, "1e400"):
        yield f"a dimension {number[:24]}", weights(first(shape=Raw(f"[{number},2]")))
        yield f"an end {number[:24]}", weights(first(data_offsets=Raw(f"[0,{number.replace('4', '32', 1)}]")))
    for number in ("-0", "0.0", "0e0", "-1", "00", "null", "18446744073709551615", "18446744073709551616"):
        yield f"a start {number}", weights(first(data_offsets=Raw(f"[{number},32]")))

    # places
    yield "a gap before everything", whole([meta, *policy(64)], b"\0" * 64 + DATA)
    yield "a gap between", whole([meta, *policy()[:1], *policy(4)[1:]], DATA[:32] + b"\0" * 4 + DATA[32:])
    yield "a gap at the end", whole([meta, *policy()], DATA + b"\0" * 4)
    yield "a gap filled by a tensor of bytes", besides("gap", entry([3], 76, "U8"), b"abc")
    yield "an overlap", whole([meta, *policy()[:1], *policy(-4)[1:]], DATA[:-4])
    yield "the same bytes twice", whole([*good, ("again", entry([4, 2], 0))])
    yield "one behind the file", whole([*good, ("more", entry([1], 76))])
    yield "an end before the start", weights(first(data_offsets=[32, 0]))
    yield "an end of one byte more", weights(first(data_offsets=[0, 33]))
    yield "start and end swapped, and empty", besides("x", {"dtype": "F32", "shape": [0], "data_offsets": [76, 72]})
    for start in (0, 32, 76, 2, 75, 77, 80):
        yield f"an empty tensor at byte {start}", besides("x", entry([0], start))
        yield f"two empty tensors at byte {start}", besides("x", entry([0], start), pairs=[*good, ("y", entry([3, 0], start))])
    yield "an empty tensor between two of one place", besides("x", {"dtype": "F32", "shape": [0], "data_offsets": [32, 40]})

    # shapes
    for shape in ([], [8], [2, 4], [1, 4, 2], [4, 2, 1], [4, 2, 1, 1, 1, 1, 1, 1, 1, 1], [8, 1], [4, 3], [4], [0], [4, 0]):
        yield f"a shape {shape}", weights(first(shape=shape))
    yield "a scalar", besides("x", entry([], 76), b"\0" * 4)
    for shape in ([0, 2**32, 2**32], [2**32, 2**32, 0], [2**32, 0, 2**32], [0, 2**64 - 1], [0, 2**64], [2**64 - 1, 0], [2**63, 2, 0], [2**63, 1, 0], [2**59, 0], [2**53 + 1, 0]):
        yield f"an empty tensor of shape {shape}", besides("x", entry([0], 76) | {"shape": shape})
    for shape in ([2**64 - 1], [2**59], [2**59 + 1], [2**61], [2**62, 4], [2**32, 2**32], [2**64], [1] * 1000 + [1], [2] * 64, [2] * 70):
        yield f"a tensor of four bytes and shape {str(shape)[:24]} ({len(shape)})", besides("x", entry([1], 76) | {"shape": shape}, b"\0" * 4)

    # types
    for dtype in [*BITS, "f32", "F32 ", "", "float32", "F128", "C128", "I4", "U4", "I128", "F8", "constructor", "__proto__", "toString", "E8M0"]:
        count = 4 * 8 // BITS.get(dtype, 32) if BITS.get(dtype, 32) <= 32 and BITS.get(dtype, 32) != 6 else 4
        length = count * BITS.get(dtype, 32) // 8
        yield f"a tensor of {dtype!r} besides", besides("x", entry([count], 76, dtype), b"\0" * length)
        yield f"a weight of {dtype!r} with 32 bytes", weights(first(dtype=dtype))
    for dtype, count, length in (("F4", 1, 0), ("F4", 1, 1), ("F4", 2, 1), ("F4", 3, 2), ("F4", 0, 0), ("F6_E2M3", 4, 3), ("F6_E2M3", 2, 1), ("F6_E2M3", 2, 2), ("F6_E3M2", 8, 6), ("BOOL", 3, 3), ("C64", 1, 8), ("C64", 1, 4)):
        yield f"{count} of {dtype} in {length} bytes", besides("x", entry([count], 76, dtype, length), b"\0" * length)
    for value in ({"F32": None}, {"F32": {}}, {"F32": []}, {"F32": 0}, {"F64": None}, {"X": None}, {"F32": None, "F64": None}, [("F32", None), ("F32", None)], ["F32"], 17):
        yield f"the type {show(value)}", weights(first(dtype=value))
    yield "numbers of any bits in a weight", whole(good, b"\xff" * len(DATA))
    yield "an infinite weight", whole(good, struct.pack("<f", math.inf) + DATA[4:])
    yield "all weights in float64", whole(
        [meta, *((name, {**e, "dtype": "F64", "data_offsets": [2 * x for x in e["data_offsets"]]}) for name, e in policy())],
        struct.pack("<19d", *range(19)),
    )
    yield "one weight in float64", whole([meta, *policy()[:-1], ("valueHead.b", entry([1], 72, "F64"))], DATA + b"\0" * 4)
    yield "weights in I32", whole([meta, *((name, {**e, "dtype": "I32"}) for name, e in policy())])
    yield "a weight missing", whole([meta, *policy()[:-1]], DATA[:-4])
    yield "a weight of another name", whole([meta, *policy()[:-1], ("valuehead.b", policy()[-1][1])])


def by_chance(rng):
    """A valid header with up to three faults."""
    start, pairs, names = 0, [], [*"abcdefgh"]
    if rng.random() < 0.3:
        pairs, start = policy(), len(DATA)
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        dtype = rng.choice(("F32", "F32", "F64", "I32", rng.choice([*BITS])))
        shape = [rng.choice((0, 1, 2, 3, 4, 8)) for _ in range(rng.choice((0, 1, 1, 2, 3)))]
        pairs.append((names.pop(0), entry(shape, start, dtype)))
        start = pairs[-1][1]["data_offsets"][1]
    meta = rng.choice((META, META, {}, {"a": "b"}, None))
    if rng.random() < 0.8:
        pairs.insert(0, ("__metadata__", meta))
    if rng.random() < 0.3:
        rng.shuffle(pairs)
    data = bytearray(DATA[:start].ljust(max(start, 0), b"\0"))
    for _ in range(rng.choice((0, 0, 1, 1, 1, 2, 3))):
        fault = rng.randrange(8)
        if fault == 0 and pairs:
            pairs.append(rng.choice(pairs))
        elif fault == 1 and pairs:
            name, value = pairs[i := rng.randrange(len(pairs))]
            if isinstance(value, dict) and isinstance(value.get("data_offsets"), list):
                offsets = [x + rng.choice((0, 0, 1, -1, 4, -4)) for x in value["data_offsets"] if type(x) is int]
                pairs[i] = (name, {**value, "data_offsets": offsets})
        elif fault == 2 and pairs:
            name, value = pairs[i := rng.randrange(len(pairs))]
            if isinstance(value, dict):
                value = dict(value)
                key = rng.choice([*value, "x", "dtype", "shape"])
                value[key] = rng.choice((None, 1, "F32", [], [1], {"F32": None}, Raw("1.0"), Raw("-0"), True, "x", Raw("9007199254740993")))
                pairs[i] = (name, value)
        elif fault == 3 and pairs:
            name, value = pairs[i := rng.randrange(len(pairs))]
            if isinstance(value, dict) and {"dtype", "shape", "data_offsets"} <= value.keys():
                pairs[i] = (name, [value["dtype"], value["shape"], value["data_offsets"]] if rng.random() < 0.5 else [*value.items(), ("x", rng.choice((1, [], None)))])
        elif fault == 4:
            data += bytes(rng.randrange(1, 9))
        elif fault == 5 and data:
            del data[-rng.randrange(1, 9) :]
        elif fault == 6 and pairs:
            del pairs[rng.randrange(len(pairs))]
        elif fault == 7:
            pairs.append((rng.choice(("x", "a", "__metadata__", "__proto__")), entry([0], rng.choice((0, start, start, 4)))))
    text = bytearray((show(pairs) if pairs else "{}").encode())
    for _ in range(rng.choice((0, 0, 0, 1, 2))):  # faults of the text
        at = rng.randrange(len(text) + 1)
        kind = rng.randrange(4)
        if kind == 0:
            text[at:at] = rng.choice((b" ", b"\n", b"\t", b"0", b",", b'"', b"\\", b"{", b"}", b"[", b"]", b"-", b".", b"e1", b"\xff", b"\xc3\xa9", b"\0", b"\\u0041", b"\\ud800"))
        elif kind == 1 and at < len(text):
            del text[at]
        elif kind == 2 and at < len(text):
            text[at] = rng.randrange(256)
        elif at < len(text):
            other = rng.randrange(len(text))
            text[at], text[other] = text[other], text[at]
    length = len(text) + rng.choice((*[0] * 30, 1, -1, 8))
    return struct.pack("<Q", max(length, 0)) + bytes(text) + bytes(data)


def refusal(content):
    """What the reference says of it; None where it takes it."""
    try:
        safetensors.deserialize(content)
        return None
    except safetensors.SafetensorError as error:
        # Which of several tensors it names is up to its hash table.
        return re.sub(r" `[^`]*`$", "", str(error).removeprefix("Error while deserializing: "))[:100]


def is_shape(text):
    """Whether it says what SHAPE says; flags that are missing are false."""
    try:
        shape = json.loads(text)
    except ValueError:
        return False
    flags = ("gaussian", "separate", "normalised")
    return isinstance(shape, dict) and [shape.get(key) for key in ("obsDim", "hidden", "actions")] == [4, [2], 2] and not any(shape.get(key) is True for key in flags)


def is_policy(content):
    """Whether a file that the reference takes has the weights of SHAPE in finite float32 or float64, and says so."""
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])  # the last of two keys counts, as in the reference
    metadata = header.get("__metadata__") or {}
    if metadata.get("format") != META["format"] or not is_shape(metadata.get("shape", "")):
        return False
    tensors = dict(safetensors.deserialize(content))
    found = [tensors.get(name) for name in WEIGHTS]
    if not all(tensor and tensor["shape"] == shape for tensor, shape in zip(found, WEIGHTS.values())):
        return False
    dtypes = {tensor["dtype"] for tensor in found}
    if dtypes not in ({"F32"}, {"F64"}):
        return False
    code, width = ("f", 4) if dtypes == {"F32"} else ("d", 8)
    return all(math.isfinite(x) for tensor in found for x in struct.unpack(f"<{len(tensor['data']) // width}{code}", tensor["data"]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--random", type=int, help="so many files by chance, and none by hand")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("test/golden/safetensors.json.gz"))
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    made = [] if arguments.random else list(by_hand())
    made += [(f"by chance {i}", by_chance(rng)) for i in range(arguments.random or 300)]
    files = []
    for what, content in made:
        why = refusal(content)
        files.append({"what": what, "bytes": base64.b64encode(content).decode(), "refused": why, "policy": why is None and is_policy(content)})
    recorded = {"safetensors": importlib.metadata.version("safetensors"), "seed": arguments.seed}
    text = json.dumps({"recorded": recorded, "files": files}, ensure_ascii=False)
    arguments.out.write_bytes(gzip.compress(text.encode("utf-8", "surrogatepass"), mtime=0))
    taken = sum(file["refused"] is None for file in files)
    print(f"{arguments.out}: {len(files)} files, {taken} taken, {sum(file['policy'] for file in files)} of them a policy; {arguments.out.stat().st_size} bytes")


main()
