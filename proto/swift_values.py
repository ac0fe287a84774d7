"""Writes the Swift values of the protocol, and their conversion from and to protobuf-c's structs.

Usage: swift_values.py DESCRIPTOR_SET OUTPUT_FOLDER. Called by proto/generate. Uniform and boring on purpose: one struct a message, one
enum an enum, one enum a oneof; nothing here knows what a message means.
"""

import re
import sys
from pathlib import Path

from google.protobuf import descriptor_pb2

FIELD = descriptor_pb2.FieldDescriptorProto
SCALARS = {
    FIELD.TYPE_UINT32: ("UInt32", "0"), FIELD.TYPE_UINT64: ("UInt64", "0"),
    FIELD.TYPE_SINT32: ("Int32", "0"), FIELD.TYPE_SINT64: ("Int64", "0"),
    FIELD.TYPE_BOOL: ("Bool", "false"), FIELD.TYPE_STRING: ("String", '""'), FIELD.TYPE_BYTES: ("Bytes", "Bytes()"),
}
KEYWORDS = {"default", "protocol", "in", "is", "as", "operator", "internal", "public", "private"}
# Messages whose first unknown field number is kept: it names a method that this build does not know.
KEEPS_UNKNOWN = {"Call"}


def camel(name, upper=False):
    parts = name.lower().split("_") if "_" in name or name.isupper() else [name]
    text = parts[0] + "".join(part[:1].upper() + part[1:] for part in parts[1:])
    text = text[:1].upper() + text[1:] if upper else text[:1].lower() + text[1:]
    return f"`{text}`" if text in KEYWORDS else text


def c_type(full):
    return "__".join(c_word(part) for part in full.strip(".").split("."))


def c_word(word):
    return "".join(part[:1].upper() + part[1:] for part in word.split("_"))


def c_function(full):
    """protobuf-c's lower-case names: CamelCase becomes camel_case."""
    return "__".join(re.sub(r"(?<!^)(?=[A-Z])", "_", part).lower() for part in full.strip(".").split("."))


class Generator:
    def __init__(self, proto_file):
        self.file = proto_file
        self.lines = []
        self.comments = {tuple(l.path): l.leading_comments for l in proto_file.source_code_info.location}

    def out(self, text=""):
        self.lines.append(text)

    def undocumented(self):
        """Every message, enum, oneof and field without a comment directly above it, as `file: Message.name`."""
        def enums(parent, prefix, path):
            for i, enum in enumerate(parent.enum_type):
                yield [*path, i], prefix + enum.name

        def messages(parent, prefix, number, path):
            for i, message in enumerate(parent):
                here, name = [*path, number, i], prefix + message.name
                yield here, name
                for j, field in enumerate(message.field):
                    yield [*here, 2, j], f"{name}.{field.name}"
                for j, oneof in enumerate(message.oneof_decl):
                    yield [*here, 8, j], f"{name}.{oneof.name}"
                yield from enums(message, name + ".", [*here, 4])
                yield from messages(message.nested_type, name + ".", 3, here)

        items = [*enums(self.file, "", [5]), *messages(self.file.message_type, "", 4, [])]
        return [f"{self.file.name}: {name}" for path, name in items if not self.comments.get(tuple(path), "").strip()]

    def doc(self, path, indent, fallback=""):
        text = self.comments.get(tuple(path), "").strip()
        for line in (text or fallback).split("\n"):
            self.out(f"{indent}/// {line.strip()}".rstrip())

    def swift_type(self, field):
        if field.type in SCALARS:
            return SCALARS[field.type][0]
        return "Wire." + field.type_name.removeprefix(".trstctl.plugin.v1.")

    def fields(self, message):
        """(kind, field or (oneof, fields)) in order; kind: single, repeated, message, oneof."""
        seen, result = set(), []
        for index, field in enumerate(message.field):
            if field.HasField("oneof_index"):
                if field.oneof_index not in seen:
                    seen.add(field.oneof_index)
                    members = [(i, f) for i, f in enumerate(message.field)
                               if f.HasField("oneof_index") and f.oneof_index == field.oneof_index]
                    result.append(("oneof", message.oneof_decl[field.oneof_index].name, members))
            elif field.label == FIELD.LABEL_REPEATED:
                result.append(("repeated", index, field))
            elif field.type == FIELD.TYPE_MESSAGE:
                result.append(("message", index, field))
            else:
                result.append(("single", index, field))
        return result

    def property(self, item, name):
        kind = item[0]
        if kind == "oneof":
            return camel(item[1]), f"{camel(item[1], True)}?", "nil"
        field = item[2]
        base = self.swift_type(field)
        if kind == "repeated":
            return camel(field.name), f"[{base}]", "[]"
        if kind == "message":
            return camel(field.name), f"{base}?", "nil"
        default = SCALARS[field.type][1] if field.type in SCALARS else f"{base}(rawValue: 0)"
        return camel(field.name), base, default

    def enum(self, enum, path, indent):
        self.doc(path, indent)
        self.out(f"{indent}package enum {enum.name}: Hashable, Sendable {{")
        for i, value in enumerate(enum.value):
            self.doc([*path, 2, i], indent + "    ", f"Number {value.number}.")
            self.out(f"{indent}    case {camel(value.name)}")
        self.out(f"{indent}    /// A number that this version does not know.")
        self.out(f"{indent}    case unrecognized(Int32)")
        self.out()
        self.out(f"{indent}    package init(rawValue: Int32) {{")
        self.out(f"{indent}        switch rawValue {{")
        for value in enum.value:
            self.out(f"{indent}        case {value.number}: self = .{camel(value.name)}")
        self.out(f"{indent}        default: self = .unrecognized(rawValue)")
        self.out(f"{indent}        }}")
        self.out(f"{indent}    }}")
        self.out()
        self.out(f"{indent}    /// The number on the wire.")
        self.out(f"{indent}    package var rawValue: Int32 {{")
        self.out(f"{indent}        switch self {{")
        for value in enum.value:
            self.out(f"{indent}        case .{camel(value.name)}: {value.number}")
        self.out(f"{indent}        case .unrecognized(let number): number")
        self.out(f"{indent}        }}")
        self.out(f"{indent}    }}")
        self.out(f"{indent}}}")
        self.out()

    def message(self, message, path):
        name = message.name
        items = self.fields(message)
        self.out("extension Wire {")
        self.doc(path, "    ")
        self.out(f"    package struct {name}: Hashable, Sendable {{")
        for i, enum in enumerate(message.enum_type):
            self.enum(enum, [*path, 4, i], "        ")
        for item in items:
            if item[0] == "oneof":
                self.doc([*path, 8, item[2][0][1].oneof_index], "        ")
                # One pointer instead of the largest message: frames are handed on many times, and seldom looked into.
                indirect = "indirect " if all(f.type == f.TYPE_MESSAGE for _, f in item[2]) else ""
                self.out(f"        package {indirect}enum {camel(item[1], True)}: Hashable, Sendable {{")
                for index, field in item[2]:
                    self.doc([*path, 2, index], "            ")
                    self.out(f"            case {camel(field.name)}({self.swift_type(field)})")
                self.out()
                self.out("            /// The number of the field that is set.")
                self.out("            package var fieldNumber: UInt32 {")
                self.out("                switch self {")
                for _, field in item[2]:
                    self.out(f"                case .{camel(field.name)}: {field.number}")
                self.out("                }")
                self.out("            }")
                self.out("        }")
                self.out()
        properties = [self.property(item, name) for item in items]
        for item, (swift, kind, default) in zip(items, properties):
            if item[0] == "oneof":
                self.out("        /// Nil when none is set, or one that this version does not know.")
            else:
                self.doc([*path, 2, item[1]], "        ")
            self.out(f"        package var {swift}: {kind}")
        if name in KEEPS_UNKNOWN:
            self.out("        /// The number of the first field that this version does not know; 0 when there is none.")
            self.out("        package var unknownField: UInt32 = 0")
        self.out()
        arguments = ", ".join(f"{swift}: {kind} = {default}" for swift, kind, default in properties)
        self.out(f"        package init({arguments}) {{")
        for swift, _, _ in properties:
            self.out(f"            self.{swift} = {swift}")
        self.out("        }")
        self.out("    }")
        self.out("}")
        self.out()
        self.conversion(message, items)

    def conversion(self, message, items):
        full = f"trstctl.plugin.v1.{message.name}"
        ctype, cinit = c_type(full), c_function(full) + "__init"
        self.out(f"extension Wire.{message.name}: WireMessage {{")
        self.out(f"    init(taking c: UnsafeMutablePointer<{ctype}>) throws(WireError) {{")
        self.out("        self.init()")
        for item in items:
            self.take(message, item)
        if message.name in KEEPS_UNKNOWN:
            self.out("        if c.pointee.base.n_unknown_fields > 0 {")
            self.out("            unknownField = c.pointee.base.unknown_fields[0].tag")
            self.out("        }")
        self.out("    }")
        self.out()
        self.out(f"    func fill(_ c: UnsafeMutablePointer<{ctype}>, _ arena: inout Arena) {{")
        self.out(f"        {cinit}(c)")
        for item in items:
            self.fill(message, item)
        self.out("    }")
        self.out("}")
        self.out()

    def take_value(self, field, access, label):
        if field.type == FIELD.TYPE_BYTES:
            return f"takeBytes(&{access})"
        if field.type == FIELD.TYPE_STRING:
            return f'try takeText(&{access}, "{label}")'
        if field.type == FIELD.TYPE_BOOL:
            return f"{access} != 0"
        if field.type == FIELD.TYPE_ENUM:
            return f"{self.swift_type(field)}(rawValue: Int32(truncatingIfNeeded: {access}.rawValue))"
        return access

    def take(self, message, item):
        if item[0] == "oneof":
            self.out(f"        switch c.pointee.{item[1]}_case {{")
            prefix = c_function(f"trstctl.plugin.v1.{message.name}").upper()
            for _, field in item[2]:
                case = f"{prefix}__{item[1].upper()}_{field.name.upper()}"
                self.out(f"        case {case}:")
                access = f"c.pointee.{c_field(field.name)}"
                if field.type == FIELD.TYPE_MESSAGE:
                    self.out(f"            if let item = {access} {{")
                    self.out(f"                self.{camel(item[1])} = .{camel(field.name)}(try {self.swift_type(field)}(taking: item))")
                    self.out("            }")
                else:
                    value = self.take_value(field, access, f"{message.name}.{field.name}")
                    self.out(f"            self.{camel(item[1])} = .{camel(field.name)}({value})")
            self.out("        default: break")
            self.out("        }")
            return
        kind, _, field = item
        access, swift = f"c.pointee.{c_field(field.name)}", camel(field.name)
        label = f"{message.name}.{field.name}"
        if kind == "message":
            self.out(f"        if let item = {access} {{ self.{swift} = try {self.swift_type(field)}(taking: item) }}")
        elif kind == "repeated":
            count = f"c.pointee.n_{field.name}"
            self.out(f"        self.{swift}.reserveCapacity({count})")
            self.out(f"        for index in 0..<{count} {{")
            if field.type == FIELD.TYPE_MESSAGE:
                self.out(f"            guard let item = {access}[index] else {{ continue }}")
                self.out(f"            self.{swift}.append(try {self.swift_type(field)}(taking: item))")
            else:
                self.out(f"            self.{swift}.append({self.take_value(field, access + '[index]', label)})")
            self.out("        }")
        else:
            self.out(f"        self.{swift} = {self.take_value(field, access, label)}")

    def fill_value(self, field, value):
        if field.type == FIELD.TYPE_BYTES:
            return f"arena.bytes({value})"
        if field.type == FIELD.TYPE_STRING:
            return f"arena.text({value})"
        if field.type == FIELD.TYPE_BOOL:
            return f"{value} ? 1 : 0"
        if field.type == FIELD.TYPE_ENUM:
            return f"{c_type(field.type_name)}(rawValue: UInt32(bitPattern: {value}.rawValue))"
        if field.type == FIELD.TYPE_MESSAGE:
            return f"arena.message({value})"
        return value

    def fill(self, message, item):
        if item[0] == "oneof":
            prefix = c_function(f"trstctl.plugin.v1.{message.name}").upper()
            self.out(f"        switch {camel(item[1])} {{")
            self.out("        case nil: break")
            for _, field in item[2]:
                self.out(f"        case .{camel(field.name)}(let value):")
                self.out(f"            c.pointee.{item[1]}_case = {prefix}__{item[1].upper()}_{field.name.upper()}")
                self.out(f"            c.pointee.{c_field(field.name)} = {self.fill_value(field, 'value')}")
            self.out("        }")
            return
        kind, _, field = item
        access, swift = f"c.pointee.{c_field(field.name)}", camel(field.name)
        if kind == "message":
            self.out(f"        if let {swift} {{ {access} = {self.fill_value(field, swift)} }}")
        elif kind == "repeated":
            self.out(f"        c.pointee.n_{field.name} = self.{swift}.count")
            element = self.fill_value(field, "element")
            self.out(f"        {access} = arena.array(self.{swift}) {{ element, arena in {element} }}")
        else:
            self.out(f"        {access} = {self.fill_value(field, 'self.' + swift)}")

    def run(self):
        self.out("// Generated by proto/generate from " + self.file.name + ". Do not edit.")
        self.out()
        self.out("internal import CProtobufC")
        self.out("internal import CTrstctlProtocol")
        has_bytes = any(field.type == FIELD.TYPE_BYTES for message in self.file.message_type for field in message.field)
        self.out("package import TrstctlSystem" if has_bytes else "internal import TrstctlSystem")
        self.out()
        for i, enum in enumerate(self.file.enum_type):
            self.out("extension Wire {")
            self.enum(enum, [5, i], "    ")
            self.out("}")
            self.out()
        for i, message in enumerate(self.file.message_type):
            self.message(message, [4, i])
        return "\n".join(self.lines)


def c_field(name):
    return f"`{name}`" if name in KEYWORDS else name


def main():
    descriptors = descriptor_pb2.FileDescriptorSet.FromString(Path(sys.argv[1]).read_bytes())
    undocumented = [name for proto_file in descriptors.file for name in Generator(proto_file).undocumented()]
    if undocumented:
        sys.exit("proto/generate: these have no `//` comment directly above them:\n  " + "\n  ".join(undocumented))
    for proto_file in descriptors.file:
        stem = camel(Path(proto_file.name).stem, True)
        Path(sys.argv[2], f"Wire+{stem}.swift").write_text(Generator(proto_file).run())


main()
