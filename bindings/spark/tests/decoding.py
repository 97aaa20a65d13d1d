#!/usr/bin/env python3
"""The columns that payloads have by the schema of their type: JSON, Avro and Protocol Buffers. Messages of random schemas are judged by the
Python package `protobuf`."""

import datetime
import decimal
import json
import sys

import libbinlog as binlog
from google.protobuf import descriptor_pb2, descriptor_pool, duration_pb2, message_factory, struct_pb2, timestamp_pb2, wrappers_pb2
from harness import check, fails, load, main, must, same, session

UTC = datetime.UTC
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)


def plain(value):
    """What Spark shows, as values of Python's own types."""
    if hasattr(value, "asDict"):
        return {name: plain(one) for name, one in value.asDict().items()}
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, datetime.datetime):
        return value.replace(tzinfo=value.tzinfo or UTC)
    return bytes(value) if isinstance(value, bytearray) else value


@check("decode: columns of a type's schema, malformed payloads as NULL or an error")
def _(place):
    path = place.work / "log"
    schema = b"""{"type": "object", "properties": {"total": {"type": "integer"}, "weight": {"type": "number"},
        "note": {"type": "string"}, "paid": {"type": "boolean"}}}"""
    with binlog.Writer(str(path)) as writer:
        writer.type("order", content_type="application/json", encoding="jsonschema", schema=schema)
        writer.append(b'{"total": 3, "weight": 2.5, "note": "\xc3\xa4", "paid": true}', "order")
        writer.append(b'{"total": -4}', "order")
        writer.append(b"other", "other")
    frame = load(place.spark, path, decode="order")
    same([tuple(row) for row in frame.orderBy("id").select("id", "total", "weight", "note", "paid").collect()],
         [(1, 3, 2.5, "ä", True), (2, -4, None, None, None)])
    same(frame.where("total > 0").count(), 1, "a condition of a decoded column")
    with binlog.Writer(str(path)) as writer:
        writer.append(b'{"total": ', "order")
    same([row[0] for row in load(place.spark, path, decode="order").orderBy("id").select("total").collect()], [3, -4, None], "malformed")
    fails(lambda: load(place.spark, path, decode="order", decodeMode="fail").select("total").collect(), "4")
    fails(lambda: load(place.spark, path, decode="other").select("*").collect(), "other")
    fails(lambda: load(place.spark, path, decode="absent").select("*").collect(), "absent")


@check("decode: nested objects, arrays of them and maps, of which a query wants a part")
def _(place):
    path = place.work / "log"
    schema = b"""{"type": "object", "properties": {
        "to": {"type": "object", "properties": {"city": {"type": "string"}, "at": {"type": "object", "properties": {"x": {"type": "number"}}}}},
        "items": {"type": "array", "items": {"type": "object", "properties": {"sku": {"type": "string"}, "n": {"type": "integer"}}}},
        "tags": {"type": "object", "additionalProperties": {"type": "integer"}}}}"""
    payloads = (b'{"to": {"at": {"x": 1.5, "y": [{}]}, "city": "Ulm"}, "items": [{"sku": "a", "n": 2, "w": {"n": 3}}, null, {}], "tags": {"p": 1, "q": null}}',
                b'{"to": {"city": "x", "city": "y"}, "items": [], "items": [{"n": 1, "n": 4}], "tags": {"p": 1, "p": 2}}',
                b'{"to": null, "items": null, "other": [1, {"to": "x"}]}', b"{}",
                b'{"to": "Ulm", "items": [{"n": 5}]}', b'{"to": {"city": "Ulm"}, "items": [{"n": "5"}]}', b'{"to": {"city": "Ulm"}, "items": [')
    with binlog.Writer(str(path)) as writer:
        writer.type("order", encoding="jsonschema", schema=schema)
        for payload in payloads:
            writer.append(payload, "order")
    frame = lambda **options: load(place.spark, path, decode="order", **options).orderBy("id")
    plain = lambda value: (value.asDict(recursive=True) if hasattr(value, "asDict") else
                           [plain(one) for one in value] if isinstance(value, list) else value)
    same([[plain(value) for value in row] for row in frame().select("to", "items", "tags").collect()],
         [[{"city": "Ulm", "at": {"x": 1.5}}, [{"sku": "a", "n": 2}, None, {"sku": None, "n": None}], {"p": 1, "q": None}],
          [{"city": "y", "at": None}, [{"sku": None, "n": 4}], {"p": 2}], [None] * 3, [None] * 3, [None, [{"sku": None, "n": 5}], None],
          [{"city": "Ulm", "at": None}, [{"sku": None, "n": None}], None], [None] * 3])
    # What a value is does not depend on what else the query wants.
    same([row[0] for row in frame().select("to.city").collect()], ["Ulm", "y", None, None, None, "Ulm", None], "a field of an object")
    same([row[0] for row in frame().selectExpr("items[0].n").collect()], [2, 4, None, None, 5, None, None], "a field of an array's object")
    for condition in ("to.city = 'Ulm'", "items[0].n > 3", "to is null"):
        counts = {frame().where(condition).select("id", *columns).count() for columns in ((), ("to",), ("items",), ("to", "items", "tags"))}
        same((len(counts), len(frame().where(condition).collect())), (1, counts.pop()), condition)
    fails(lambda: frame(decodeMode="fail").where("id <= 6").select("items").collect(), "record 6", "bigint")
    same(frame(decodeMode="fail").where("id <= 4").select("to", "items", "tags").count(), 4, "sound ones")


@check("decode: a schema of Avro")
def _(place):
    path = place.work / "log"
    schema = b"""{"type": "record", "name": "Order", "fields": [{"name": "total", "type": "long"}, {"name": "note", "type": ["null", "string"]}]}"""
    with binlog.Writer(str(path)) as writer:
        writer.type("order", encoding="avro", schema=schema)
        writer.append(b"\x06\x02\x08note", "order")
        writer.append(b"\x07\x00", "order")
    same([tuple(row) for row in load(place.spark, path, decode="order").orderBy("id").select("total", "note").collect()],
         [(3, "note"), (-4, None)])


# Protocol Buffers.

FIELD = descriptor_pb2.FieldDescriptorProto
KINDS = {FIELD.TYPE_INT32: "int", FIELD.TYPE_SINT32: "int", FIELD.TYPE_SFIXED32: "int", FIELD.TYPE_ENUM: "string",
         FIELD.TYPE_UINT32: "bigint", FIELD.TYPE_FIXED32: "bigint", FIELD.TYPE_INT64: "bigint", FIELD.TYPE_SINT64: "bigint",
         FIELD.TYPE_SFIXED64: "bigint", FIELD.TYPE_UINT64: "decimal(20,0)", FIELD.TYPE_FIXED64: "decimal(20,0)", FIELD.TYPE_FLOAT: "float",
         FIELD.TYPE_DOUBLE: "double", FIELD.TYPE_BOOL: "boolean", FIELD.TYPE_STRING: "string", FIELD.TYPE_BYTES: "binary"}
KEYS = [kind for kind in KINDS if kind not in (FIELD.TYPE_FLOAT, FIELD.TYPE_DOUBLE, FIELD.TYPE_BYTES, FIELD.TYPE_ENUM)]
KNOWN = {"Timestamp": "timestamp", "Duration": "interval day to second", "Struct": "string", "Value": "string", "ListValue": "string",
         **{f"{name}Value": kind for name, kind in (("Double", "double"), ("Float", "float"), ("Int64", "bigint"), ("UInt64", "decimal(20,0)"),
            ("Int32", "int"), ("UInt32", "bigint"), ("Bool", "boolean"), ("String", "string"), ("Bytes", "binary"))}}
IMPORTS = (timestamp_pb2, duration_pb2, struct_pb2, wrappers_pb2)


def random_message(random, named, scope=".test", depth=0):
    """A message of random fields."""
    path = f"{scope}.{named}"
    message = descriptor_pb2.DescriptorProto(name=named)
    for number in range(1, random.randrange(2, 9)):
        field = message.field.add(name=f"f{number}", number=number, label=FIELD.LABEL_OPTIONAL)
        form = random.randrange(8)
        if form == 0:  # a map
            entry = message.nested_type.add(name=f"F{number}Entry")
            entry.options.map_entry = True
            entry.field.add(name="key", number=1, label=FIELD.LABEL_OPTIONAL, type=random.choice(KEYS))
            of_kind(random, entry.field.add(name="value", number=2, label=FIELD.LABEL_OPTIONAL), message, path, depth)
            field.label, field.type, field.type_name = FIELD.LABEL_REPEATED, FIELD.TYPE_MESSAGE, f"{path}.F{number}Entry"
            continue
        of_kind(random, field, message, path, depth)
        if form in (1, 2):
            field.label = FIELD.LABEL_REPEATED
        elif form == 3 and field.type != FIELD.TYPE_MESSAGE:  # one whose presence is known
            field.proto3_optional = True
            field.oneof_index = len(message.oneof_decl)
            message.oneof_decl.add(name=f"_f{number}")
    # Those of a oneof of two come first.
    plain_ones = [field for field in message.field if field.label == FIELD.LABEL_OPTIONAL and not field.HasField("oneof_index")]
    if len(plain_ones) > 2:
        for field in message.field:
            if field.HasField("oneof_index"):
                field.oneof_index += 1
        synthetic = list(message.oneof_decl)
        del message.oneof_decl[:]
        message.oneof_decl.add(name="either")
        message.oneof_decl.extend(synthetic)
        for field in plain_ones[:2]:
            field.oneof_index = 0
    return message


def of_kind(random, field, within, path, depth):
    field.type = random.choice((*KINDS, *[FIELD.TYPE_MESSAGE] * 6))
    if field.type == FIELD.TYPE_ENUM:
        field.type_name = ".test.Colour"
    elif field.type == FIELD.TYPE_MESSAGE:
        choice = random.randrange(4)
        if choice == 0 and depth < 2:
            inner = within.nested_type.add()
            inner.CopyFrom(random_message(random, f"Inner{len(within.nested_type)}", path, depth + 1))
            field.type_name = f"{path}.{inner.name}"
        elif choice == 1:
            field.type_name = random.choice((".test.Itself", ".test.Nothing"))
        else:
            field.type_name = f".google.protobuf.{random.choice(sorted(KNOWN))}"


def random_schema(random):
    """A FileDescriptorSet with a message `Root`, and the class of these messages."""
    file = descriptor_pb2.FileDescriptorProto(name="test.proto", package="test", syntax="proto3")
    file.dependency.extend(module.DESCRIPTOR.name for module in IMPORTS)
    colours = file.enum_type.add(name="Colour")
    for number, name in ((0, "RED"), (1, "BLUE"), (-5, "NEGATIVE")):
        colours.value.add(name=name, number=number)
    itself = file.message_type.add(name="Itself")
    itself.field.add(name="next", number=1, label=FIELD.LABEL_OPTIONAL, type=FIELD.TYPE_MESSAGE, type_name=".test.Itself")
    itself.field.add(name="number", number=2, label=FIELD.LABEL_OPTIONAL, type=FIELD.TYPE_INT32)
    file.message_type.add(name="Nothing")
    file.message_type.add().CopyFrom(random_message(random, "Root"))
    files = [file]
    for module in IMPORTS:
        module.DESCRIPTOR.CopyToProto(one := descriptor_pb2.FileDescriptorProto())
        files.append(one)
    pool = descriptor_pool.DescriptorPool()
    for one in reversed(files):
        pool.Add(one)
    random.shuffle(files)
    schema = descriptor_pb2.FileDescriptorSet(file=files)
    return schema.SerializeToString(), message_factory.GetMessageClass(pool.FindMessageTypeByName("test.Root"))


def random_value(random, field, depth):
    """A value for one element of a field."""
    limits = {FIELD.TYPE_INT32: 31, FIELD.TYPE_SINT32: 31, FIELD.TYPE_SFIXED32: 31, FIELD.TYPE_INT64: 63, FIELD.TYPE_SINT64: 63, FIELD.TYPE_SFIXED64: 63}
    unsigned = {FIELD.TYPE_UINT32: 32, FIELD.TYPE_FIXED32: 32, FIELD.TYPE_UINT64: 64, FIELD.TYPE_FIXED64: 64}
    if field.type in limits:
        return random.choice((0, 1, -1, 2 ** limits[field.type] - 1, -(2 ** limits[field.type]), random.randrange(-100, 100)))
    if field.type in unsigned:
        return random.choice((0, 1, 2 ** unsigned[field.type] - 1, 2 ** (unsigned[field.type] - 1)))
    if field.type in (FIELD.TYPE_FLOAT, FIELD.TYPE_DOUBLE):
        return random.choice((0.0, -0.5, 1e10, float("inf")))
    if field.type == FIELD.TYPE_BOOL:
        return random.random() < 0.5
    if field.type == FIELD.TYPE_ENUM:
        return random.choice((0, 1, -5, 7))
    if field.type == FIELD.TYPE_BYTES:
        return random.choice((b"", b"\xff\x00", b"bytes"))
    return random.choice(("", "ä", "text", "\U0001f600"))


def fill(random, message, depth=0):
    """Sets fields of a message at random."""
    name = message.DESCRIPTOR.full_name
    if name == "google.protobuf.Timestamp":
        message.seconds, message.nanos = random.choice((0, -1, 1_700_000_000, -10**9)), random.choice((0, 999, 999_999_999))
    elif name == "google.protobuf.Duration":
        message.seconds = random.choice((0, 5, -5))
        message.nanos = random.choice((0, 1500)) * (-1 if message.seconds < 0 else 1)
    elif name == "google.protobuf.Value" and depth > 4:
        message.bool_value = True
    elif depth <= 5:
        for field in message.DESCRIPTOR.fields:
            if random.random() < 0.7:
                fill_field(random, message, field, depth)
    return message


def fill_field(random, message, field, depth):
    is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
    if is_map:
        key, value = field.message_type.fields
        for _ in range(random.randrange(4)):
            at, pairs = random_value(random, key, depth), getattr(message, field.name)
            if value.message_type is not None:
                fill(random, pairs[at], depth + 1)
            else:
                pairs[at] = random_value(random, value, depth)
    elif field.is_repeated:
        for _ in range(random.randrange(4)):
            values = getattr(message, field.name)
            if field.message_type is not None:
                fill(random, values.add(), depth + 1)
            else:
                values.append(random_value(random, field, depth))
    elif field.message_type is not None:
        getattr(message, field.name).SetInParent()
        fill(random, getattr(message, field.name), depth + 1)
    elif field.containing_oneof is None or random.random() < 0.5:
        setattr(message, field.name, 0 if field.type == FIELD.TYPE_ENUM and name_of(field) == "NullValue" else random_value(random, field, depth))


def name_of(field):
    return field.enum_type.name


def shown(message, open_ones=()):
    """A message as Spark must show it."""
    name = message.DESCRIPTOR.full_name
    if name == "google.protobuf.Timestamp":
        return EPOCH + datetime.timedelta(seconds=message.seconds, microseconds=message.nanos // 1000)
    if name == "google.protobuf.Duration":
        return datetime.timedelta(seconds=message.seconds, microseconds=message.nanos // 1000)
    if name in ("google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.ListValue"):
        return ("json", as_json(message))
    if name.startswith("google.protobuf."):
        return shown_value(message.DESCRIPTOR.fields[0], message.value, open_ones)
    if name in open_ones or not message.DESCRIPTOR.fields:
        return message.SerializeToString(deterministic=True)
    return {field.name: shown_field(field, message, (*open_ones, name)) for field in message.DESCRIPTOR.fields}


def shown_field(field, message, open_ones):
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        key, value = field.message_type.fields
        return {shown_value(key, at, open_ones): shown_value(value, one, open_ones) for at, one in getattr(message, field.name).items()}
    if field.is_repeated:
        return [shown_value(field, one, open_ones) for one in getattr(message, field.name)]
    if field.has_presence and not message.HasField(field.name):
        return None
    return shown_value(field, getattr(message, field.name), open_ones)


def shown_value(field, value, open_ones):
    if field.message_type is not None:
        return shown(value, open_ones)
    if field.type == FIELD.TYPE_ENUM:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known else str(value)
    return decimal.Decimal(value) if field.type in (FIELD.TYPE_UINT64, FIELD.TYPE_FIXED64) else value


def as_json(message):
    """A Struct, a Value or a ListValue as values of Python."""
    name = message.DESCRIPTOR.name
    if name == "Struct":
        return {key: as_json(value) for key, value in message.fields.items()}
    if name == "ListValue":
        return [as_json(value) for value in message.values]
    kind = message.WhichOneof("kind")
    if kind in ("struct_value", "list_value"):
        return as_json(getattr(message, kind))
    return None if kind in (None, "null_value") else getattr(message, kind)


def compared(got, wanted, at="row"):
    """Fails where a value of Spark's is another one than what must be shown."""
    if isinstance(wanted, tuple):
        must(isinstance(got, str), f"{at}: {got!r} is no JSON")
        same(json.loads(got.replace('"Infinity"', "Infinity")), wanted[1], at)
    elif isinstance(wanted, dict):
        same(sorted(map(repr, got)), sorted(map(repr, wanted)), f"{at}: keys")
        for key, value in wanted.items():
            compared(got[key], value, f"{at}.{key}")
    elif isinstance(wanted, list):
        same(len(got), len(wanted), f"{at}: length")
        for number, value in enumerate(wanted):
            compared(got[number], value, f"{at}[{number}]")
    else:
        same(got, wanted, at)


@check("decode: messages of random schemas, as Python's protobuf has them")
def _(place):
    for seed in range(60 if place.soak else 12):
        random = type(place.random)(place.seed * 1000 + seed)
        schema, of = random_schema(random)
        messages = [of(), *(fill(random, of()) for _ in range(40))]
        path = place.work / str(seed)
        with binlog.Writer(str(path)) as writer:
            writer.type("root", encoding="protobuf", message="test.Root", schema=schema)
            for message in messages:
                writer.append(message.SerializeToString(), "root")
        frame = load(place.spark, path, decode="root", decodeMode="fail")
        got = frame.orderBy("id").select(*[field.name for field in of.DESCRIPTOR.fields]).collect()
        for number, (row, message) in enumerate(zip(got, messages, strict=True)):
            compared(plain(row), shown(message), f"seed {seed}, record {number + 1}")
        one = random.choice(of.DESCRIPTOR.fields).name
        for row, message in zip(frame.orderBy("id").select(one).collect(), messages, strict=True):
            compared(plain(row)[one], shown(message)[one], f"seed {seed}, {one} alone")
        for name in [field.name for field in frame.schema if field.dataType.typeName() == "struct"]:
            inner = random.choice(frame.schema[name].dataType.names)
            for row, message in zip(frame.orderBy("id").select(f"{name}.{inner}").collect(), messages, strict=True):
                compared(plain(row)[inner], (shown(message)[name] or {}).get(inner), f"seed {seed}, {name}.{inner}")


def file_set(text_of_message, **more):
    """A FileDescriptorSet of one file with the messages: their names, and their fields as names, numbers, types and names of types."""
    file = descriptor_pb2.FileDescriptorProto(name="o.proto", syntax="proto3", **more)
    for message, fields in text_of_message.items():
        made = file.message_type.add(name=message)
        for name, number, kind, *of in fields:
            made.field.add(name=name, number=number, label=FIELD.LABEL_OPTIONAL, type=kind, type_name=of[0] if of else None)
    return descriptor_pb2.FileDescriptorSet(file=[file]).SerializeToString()


@check("decode: types of the columns of Protocol Buffers")
def _(place):
    fields = [(f"f{kind}", kind, kind, *([".Colour"] if kind == FIELD.TYPE_ENUM else ())) for kind in KINDS]
    file = descriptor_pb2.FileDescriptorSet.FromString(file_set({"All": fields}))
    file.file[0].enum_type.add(name="Colour").value.add(name="RED", number=0)
    path = place.work / "log"
    with binlog.Writer(str(path)) as writer:
        writer.type("all", encoding="protobuf", message=".All", schema=file.SerializeToString())
        writer.append(b"", "all")
    frame = load(place.spark, path, decode="all")
    types = dict(frame.dtypes)
    same({f"f{kind}": types[f"f{kind}"] for kind in KINDS}, {f"f{kind}": named for kind, named in KINDS.items()})
    row = frame.select("f5", "f9", "f12", "f14", "f4").first()
    same([plain(value) for value in row], [0, "", b"", "RED", decimal.Decimal(0)], "a message without fields, of fields that cannot be missing")


@check("decode: malformed messages, other versions of a type, and schemas that give no columns")
def _(place):
    path = place.work / "log"
    older = file_set({"Order": [("total", 1, FIELD.TYPE_INT64)]})
    newer = file_set({"Order": [("sum", 1, FIELD.TYPE_INT64), ("note", 2, FIELD.TYPE_STRING)]})
    with binlog.Writer(str(path)) as writer:
        writer.type("order", encoding="protobuf", message="Order", schema=older)
        writer.append(b"\x08\x05", "order")
    with binlog.Writer(str(path)) as writer:
        writer.type("order", encoding="protobuf", message="Order", schema=newer)
        for payload in (b"\x08\x06\x12\x02ok", b"\x08", b"\x12\x02\xff\xfe", b"\x18\x01\x08\x07", b"\x12\x7f"):
            writer.append(payload, "order")
    frame = load(place.spark, path, decode="order").orderBy("id")
    same([tuple(row) for row in frame.select("sum", "note").collect()],
         [(5, ""), (6, "ok"), (None, None), (None, None), (7, ""), (None, None)], "the newest schema reads all")
    fails(lambda: load(place.spark, path, decode="order", decodeMode="fail").select("sum").collect(), "record 3", "decodeMode")
    # Of a version with another encoding, bytes may look like a message.
    with binlog.Writer(str(place.work / "other")) as writer:
        for encoding, schema in (("json", None), ("msgpack", b"any"), ("protobuf", older)):
            writer.type("order", encoding=encoding, message="Order" if schema == older else "", schema=schema)
            writer.append(b"\x08\x09", "order")
    same([row[0] for row in load(place.spark, place.work / "other", decode="order").orderBy("id").select("total").collect()], [None, None, 9])
    fails(lambda: load(place.spark, place.work / "other", decode="order", decodeMode="fail").select("total").collect(), "record 1", "no schema")
    for number, (schema, message, *texts) in enumerate((
            (older, "Absent", "no message Absent"), (b"\xff\xff", "Order", "FileDescriptorSet"), (file_set({"Order": []}), "Order", "no fields"),
            (file_set({"A": [], "B": []}), "", "2 messages"), (file_set({"Order": []}, dependency=["absent.proto"]), "Order", "absent.proto"),
            (file_set({f"M{at}": [(f"{side}", side_number, FIELD.TYPE_MESSAGE, f".M{at + 1}") for side_number, side in enumerate("ab", 1)] if at < 40 else
                       [("x", 1, FIELD.TYPE_INT32)] for at in range(41)}), "M0", "10000 columns"),
            (file_set({f"M{at}": [("x", 1, FIELD.TYPE_MESSAGE, f".M{at + 1}")] if at < 2000 else [("x", 1, FIELD.TYPE_INT32)]
                       for at in range(2001)}), "M0", "100 levels"))):
        wrong = place.work / f"wrong{number}"
        with binlog.Writer(str(wrong)) as writer:
            writer.type("order", encoding="protobuf", message=message, schema=schema)
            writer.append(b"", "order")
        fails(lambda: load(place.spark, wrong, decode="order").select("id").collect(), "order", *texts)
    with binlog.Writer(str(place.work / "only")) as writer:
        writer.type("order", encoding="protobuf", schema=older)
        writer.append(b"\x08\x05", "order")
    same(load(place.spark, place.work / "only", decode="order").first()["total"], 5, "the only message of a schema")


@check("decode: messages called as the well-known ones that are others, and times out of range")
def _(place):
    def schema(package="google.protobuf", **messages):
        file = descriptor_pb2.FileDescriptorSet.FromString(file_set(messages))
        file.file[0].package = package
        return file.SerializeToString()

    itself = ("value", 1, FIELD.TYPE_MESSAGE, ".google.protobuf.Int64Value")
    other = {"Int64Value": [itself], "Timestamp": [("seconds", 1, FIELD.TYPE_UINT64), ("nanos", 2, FIELD.TYPE_INT32)], "Struct": [],
             "StringValue": [("other", 2, FIELD.TYPE_STRING)],
             "Root": [(f"f{at}", at, FIELD.TYPE_MESSAGE, f".google.protobuf.{name}") for at, name in enumerate(("Int64Value", "Timestamp", "Struct", "StringValue"), 1)]}
    path = place.work / "log"
    with binlog.Writer(str(path)) as writer:
        writer.type("root", encoding="protobuf", message="google.protobuf.Root", schema=schema(**other))
        writer.append(b"\x0a\x00\x12\x02\x08\x05\x22\x03\x12\x01x", "root")
    frame = load(place.spark, path, decode="root")
    same(dict(frame.dtypes)["f2"], "struct<seconds:decimal(20,0),nanos:int>")
    same(plain(frame.select("f1", "f2", "f3", "f4").first()),
         {"f1": {"value": None}, "f2": {"seconds": decimal.Decimal(5), "nanos": 0}, "f3": None, "f4": {"other": "x"}})
    file = descriptor_pb2.FileDescriptorSet.FromString(file_set({"T": [("at", 1, FIELD.TYPE_MESSAGE, ".google.protobuf.Timestamp"), ("n", 2, FIELD.TYPE_INT32)]}))
    file.file[0].dependency.append(timestamp_pb2.DESCRIPTOR.name)
    timestamp_pb2.DESCRIPTOR.CopyToProto(file.file.add())
    with binlog.Writer(str(place.work / "times")) as writer:
        writer.type("t", encoding="protobuf", message="T", schema=file.SerializeToString())
        writer.append(b"\x0a\x0a\x08" + b"\xff" * 8 + b"\x7f\x10\x05", "t")
    frame = load(place.spark, place.work / "times", decode="t")
    same([tuple(frame.select(*columns).first()) for columns in (("n",), ("at", "n"))], [(5,), (None, 5)], "a time that is none")
    fails(lambda: load(place.spark, place.work / "times", decode="t", decodeMode="fail").select("at").collect(), "record 1", "seconds")


@check("decode: bytes of Avro that state a hundred million items, or levels, do not end the session")
def _(place):
    path = place.work / "log"
    fields = [{"name": "a", "type": {"type": "array", "items": "null"}}, {"name": "n", "type": ["null", "R"]}]
    with binlog.Writer(str(path)) as writer:
        writer.type("r", encoding="avro", schema=json.dumps({"type": "record", "name": "R", "fields": fields}).encode())
        writer.append(b"\x80\xc2\xd7\x2f\x00\x00", "r")
        writer.append(b"\x00\x02" * 100_000 + b"\x00\x00", "r")
        writer.append(b"\x04\x00\x00", "r")
    rows = load(place.spark, path, decode="r").orderBy("id").select("a", "n").collect()
    same([tuple(row) for row in rows], [(None, None), (None, None), ([None, None], None)])
    fails(lambda: load(place.spark, path, decode="r", decodeMode="fail").select("a").collect(), "record 1", "items")


@check("decode: the schema of the newest record gives the columns, also when an older one is in use again")
def _(place):
    record = lambda *names: json.dumps({"type": "record", "name": "R", "fields": [
        {"name": name, "type": "long", "default": 0} for name in names]}).encode()
    path = place.work / "log"
    for schema, payload in ((record("a"), b"\x02"), (record("a", "b"), b"\x04\x06"), (record("a"), b"\x08")):
        with binlog.Writer(str(path)) as writer:
            writer.type("order", encoding="avro", schema=schema)
            writer.append(payload, "order")
    for options in ({}, {"decodeMode": "fail"}, {"onDamage": "skip"}):
        frame = load(place.spark, path, decode="order", **options)
        same(frame.columns[8:], ["a"], "columns")
        same([row[0] for row in frame.orderBy("id").select("a").collect()], [1, 2, 4], str(options))
    # An encoding that has no schema any more: the last one that had.
    with binlog.Writer(str(place.work / "json")) as writer:
        writer.type("order", encoding="jsonschema", schema=b'{"type": "object", "properties": {"a": {"type": "integer"}}}')
        writer.append(b'{"a": 1}', "order")
        writer.type("order", encoding="json", schema=None)
        writer.append(b'{"a": 2}', "order")
    same([row[0] for row in load(place.spark, place.work / "json", decode="order").orderBy("id").select("a").collect()], [1, 2])
    with binlog.Writer(str(place.work / "none")) as writer:
        writer.type("order", encoding="json", schema=None)
        writer.append(b"{}", "order")
    fails(lambda: load(place.spark, place.work / "none", decode="order").collect(), "the encoding json without one")


@check("decode: references of JSON and Avro that give more columns than there can be")
def _(place):
    wide = {"$defs": {f"d{at}": {"type": "object", "properties": {side: {"$ref": f"#/$defs/d{at + 1}"} for side in "ab"}} for at in range(40)},
            "type": "object", "properties": {"a": {"$ref": "#/$defs/d0"}}}
    wide["$defs"]["d40"] = {"type": "integer"}
    deep = {"type": "object", "properties": {"x": {"type": "integer"}}}
    for _ in range(300):
        deep = {"type": "object", "properties": {"x": deep}}
    avro = {"type": "record", "name": "R40", "fields": [{"name": "x", "type": "int"}]}
    for at in reversed(range(40)):
        avro = {"type": "record", "name": f"R{at}", "fields": [{"name": "a", "type": avro}, {"name": "b", "type": f"R{at + 1}"}]}
    for name, encoding, schema, text in (("wide", "jsonschema", wide, "10000 columns"), ("deep", "jsonschema", deep, "100 levels"),
                                         ("avro", "avro", avro, "10000 columns")):
        path = place.work / name
        with binlog.Writer(str(path)) as writer:
            writer.type("order", encoding=encoding, schema=json.dumps(schema).encode())
            writer.append(b"{}", "order")
        fails(lambda: load(place.spark, path, decode="order").select("id").collect(), "order", text)


@check("decodeAs: all fields of a type in one column, whatever their names")
def _(place):
    path = place.work / "log"
    schema = b"""{"type": "object", "properties": {"id": {"type": "string"}, "time": {"type": "integer"}, "to": {"type": "object",
        "properties": {"city": {"type": "string"}, "zip": {"type": "integer"}}}}}"""
    with binlog.Writer(str(path)) as writer:
        writer.type("order", encoding="jsonschema", schema=schema)
        for payload in (b'{"id": "x", "time": 5, "to": {"city": "Ulm", "zip": 7}}', b"{}", b"{"):
            writer.append(payload, "order")
    fails(lambda: load(place.spark, path, decode="order").collect(), "decodeAs", "id")
    frame = load(place.spark, path, decode="order", decodeAs="o").orderBy("id")
    same([(row["id"], plain(row["o"])) for row in frame.select("id", "o").collect()],
         [(1, {"id": "x", "time": 5, "to": {"city": "Ulm", "zip": 7}}), (2, {"id": None, "time": None, "to": None}), (3, None)])
    same([tuple(row) for row in frame.select("o.id", "o.to.city").collect()], [("x", "Ulm"), (None, None), (None, None)], "fields of it")
    same(frame.where("o.time = 5").count(), 1, "a condition of a field")
    same(frame.where("o is null").select("id").first()[0], 3, "a malformed payload")
    fails(lambda: load(place.spark, path, decodeAs="o").collect(), "decodeAs", "decode")
    fails(lambda: load(place.spark, path, decode="order", decodeAs="Payload").collect(), "Payload", "already")
    place.spark.sql(f"create table decoded using binlog options (path '{path}', decode 'order', decodeAs 'o')")
    try:
        same(place.spark.sql("select o.to.zip from decoded where id = 1").first()[0], 7, "in SQL")
    finally:
        place.spark.sql("drop table decoded")


def begin():
    return session("local[2]")


if __name__ == "__main__":
    sys.exit(main(begin))
