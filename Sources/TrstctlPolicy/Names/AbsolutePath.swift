package import TrstctlSystem

/// An absolute path in canonical form, as bytes.
///
/// There is exactly one way to write it: it begins with a slash, no component is empty, `.` or `..`, and it does not
/// end with a slash. Two paths are the same only if their bytes are (Linux file names are bytes: NFC and NFD spellings
/// name different files, see path_resolution(7)). Symbolic links are not looked at here; the kernel resolves.
package struct AbsolutePath: Hashable, Sendable, CustomStringConvertible {
    /// The longest path in bytes: `PATH_MAX` without the NUL.
    package static let maximumBytes = 4095
    /// The longest component in bytes: `NAME_MAX`.
    package static let maximumComponentBytes = 255

    /// The whole path.
    package let bytes: Bytes
    /// What stands between the slashes; empty for `/`.
    package let components: [Bytes]

    /// The directory `/`.
    package static let root = AbsolutePath(components: [])

    /// Checks a path in its canonical form.
    ///
    /// - Throws: `GrammarError` naming the broken rule; nothing is ever repaired.
    package init(_ bytes: Bytes) throws(GrammarError) {
        guard !bytes.isEmpty else { throw GrammarError(.empty, found: bytes, "the path is empty") }
        guard bytes.count <= AbsolutePath.maximumBytes else {
            throw GrammarError(.tooLong, found: bytes, "the path is longer than \(AbsolutePath.maximumBytes) bytes")
        }
        let array = bytes.array
        guard array.first == slash else {
            throw GrammarError(.notAbsolute, found: bytes, "the path is not absolute; it has to begin with a slash")
        }
        guard !array.contains(0) else { throw GrammarError(.containsNUL, found: bytes, "the path contains a NUL byte") }
        guard array.count > 1 else {
            self = .root
            return
        }
        guard array.last != slash else {
            throw GrammarError(.trailingSlash, found: bytes, "the path ends with a slash, so it cannot name a file")
        }
        var components: [Bytes] = []
        for part in array.dropFirst().split(separator: slash, omittingEmptySubsequences: false) {
            try AbsolutePath.check(part, of: bytes)
            components.append(Bytes(Array(part)))
        }
        self.init(bytes: bytes, components: components)
    }

    /// Checks the UTF-8 bytes of a text.
    package init(_ text: String) throws(GrammarError) {
        try self.init(Bytes(text))
    }

    private init(bytes: Bytes, components: [Bytes]) {
        self.bytes = bytes
        self.components = components
    }

    /// Joins components that were checked before.
    private init(components: [Bytes]) {
        let joined = components.flatMap { [slash] + $0.array }
        self.init(bytes: Bytes(joined.isEmpty ? [slash] : joined), components: components)
    }

    private static func check(_ part: ArraySlice<UInt8>, of path: Bytes) throws(GrammarError) {
        switch part.count {
        case 0:
            throw GrammarError(.emptyComponent, found: path, "the path has two slashes in a row")
        case 1 where part.first == dot:
            throw GrammarError(.dotComponent, found: path, "the path has a \".\" component; write it without")
        case 2 where part.first == dot && part.last == dot:
            throw GrammarError(.dotDotComponent, found: path, "the path has a \"..\" component; write it without")
        case (maximumComponentBytes + 1)...:
            throw GrammarError(
                .componentTooLong, found: path, "a component is longer than \(maximumComponentBytes) bytes")
        default: break
        }
    }

    /// The last component; nil for `/`.
    package var leaf: Bytes? { components.last }

    /// The directory that holds this path; nil for `/`.
    package var parent: AbsolutePath? {
        components.isEmpty ? nil : AbsolutePath(components: Array(components.dropLast()))
    }

    /// The components below a directory, or nil when this path is not below it (the directory itself is not).
    package func components(below directory: AbsolutePath) -> [Bytes]? {
        guard components.count > directory.components.count, components.starts(with: directory.components) else {
            return nil
        }
        return Array(components.dropFirst(directory.components.count))
    }

    package static func == (left: AbsolutePath, right: AbsolutePath) -> Bool { left.bytes == right.bytes }

    package func hash(into hasher: inout Hasher) { hasher.combine(bytes) }

    /// The path with everything but printable ASCII escaped.
    package var description: String { printable(bytes, limit: AbsolutePath.maximumBytes) }
}

let slash = UInt8(ascii: "/")
let dot = UInt8(ascii: ".")
