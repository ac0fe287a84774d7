import TrstctlPolicy
import TrstctlSystem

/// What the parts of the manifest parser share: the file's name and directory, and typed access to nodes.
struct ManifestScope {
    /// How errors call the file.
    let file: String
    /// What relative paths are relative to.
    let directory: AbsolutePath

    func error(
        _ code: ManifestError.Code, at position: YAMLPosition, _ message: String, nextStep: String
    ) -> ManifestError {
        ManifestError(
            code, file: file, line: position.line, column: position.column, message, nextStep: nextStep)
    }

    /// The entries of a mapping.
    func mapping(_ node: YAMLNode, _ what: String) throws(ManifestError) -> [YAMLNode.Entry] {
        guard case .mapping(let entries) = node.content else { throw wrongType(node, what, "a mapping") }
        return entries
    }

    /// The entries of a mapping, of which only these keys are known.
    func mapping(
        _ node: YAMLNode, _ what: String, keys: [String]
    ) throws(ManifestError) -> [YAMLNode.Entry] {
        let entries = try mapping(node, what)
        for entry in entries where !keys.contains(where: { Array($0.utf8) == entry.key.bytes }) {
            let known = keys.joined(separator: ", ")
            let meant = suggestion(for: entry.key.bytes, among: keys)
            throw error(
                .unknownKey, at: entry.keyStart,
                "expected one of \(known) in \(what), found \"\(printable(Bytes(entry.key.bytes)))\"",
                nextStep: meant.map { "did you mean \"\($0)\"?" } ?? "remove the key, or see spec/manifest.md")
        }
        return entries
    }

    /// The items of a list, at most so many.
    func list(_ node: YAMLNode, _ what: String, atMost limit: Int) throws(ManifestError) -> [YAMLNode] {
        guard case .sequence(let items) = node.content else { throw wrongType(node, what, "a list") }
        guard items.count <= limit else {
            throw error(
                .tooMany, at: node.start, "expected at most \(limit) items in \(what), found \(items.count)",
                nextStep: "remove some")
        }
        return items
    }

    /// A text as it is written, whatever it looks like; only null is refused.
    func text(_ node: YAMLNode, _ what: String) throws(ManifestError) -> String {
        guard case .scalar(let scalar) = node.content, scalar.plainMeaning != .null else {
            throw wrongType(node, what, "a text")
        }
        return scalar.text
    }

    /// A decimal integer within bounds.
    func integer(_ node: YAMLNode, _ what: String, in bounds: ClosedRange<Int>) throws(ManifestError) -> Int {
        guard case .scalar(let scalar) = node.content else { throw wrongType(node, what, "a number") }
        switch scalar.plainMeaning {
        case .integer(let number) where bounds.contains(Int(clamping: number)): return Int(clamping: number)
        case .integer, .hugeInteger:
            throw error(
                .outOfRange, at: node.start,
                "expected a number from \(bounds.lowerBound) to \(bounds.upperBound) as \(what), found \(scalar.text)",
                nextStep: "choose a number within the bounds")
        default: throw wrongType(node, what, "a whole decimal number without quotes")
        }
    }

    /// `true` or `false`.
    func boolean(_ node: YAMLNode, _ what: String) throws(ManifestError) -> Bool {
        guard case .scalar(let scalar) = node.content, case .boolean(let value) = scalar.plainMeaning else {
            throw wrongType(node, what, "true or false")
        }
        return value
    }

    func wrongType(_ node: YAMLNode, _ what: String, _ expected: String) -> ManifestError {
        var found = node.kind
        if case .scalar(let scalar) = node.content, !scalar.bytes.isEmpty {
            found += " \"\(printable(Bytes(scalar.bytes), limit: 80))\""
        }
        return error(
            .wrongType, at: node.start, "expected \(expected) as \(what), found \(found)",
            nextStep: expected == "a list" ? "put it in brackets, [ … ]" : "write \(expected), or remove the key")
    }

    func missing(_ key: String, in what: String, at position: YAMLPosition) -> ManifestError {
        error(
            .missingKey, at: position, "expected the key \"\(key)\" in \(what), found none",
            nextStep: "add the key; spec/manifest.md has an example")
    }
}

extension [YAMLNode.Entry] {
    /// The entry of this key.
    subscript(key: String) -> YAMLNode.Entry? { first { $0.key.bytes.elementsEqual(key.utf8) } }
}
