// libyaml, as the Yams package builds it. Its events are read instead of Yams' nodes, because Yams expands aliases and
// hashes mappings before anything could refuse them, forgets anchors, and does not tell flow from block style.
import CYaml
import TrstctlPolicy
import TrstctlSystem

/// Reads the one document of a manifest from libyaml's events, refusing what a manifest may not use as soon as it
/// comes: nothing is expanded, and the depth is bounded, so no text takes long.
struct YAMLReader {
    /// How deep collections may be nested.
    static let maximumDepth = 16

    private let file: String
    private let text: [UInt8]
    // Behind a pointer, because libyaml keeps the address of its own state.
    private let parser: UnsafeMutablePointer<yaml_parser_t>

    /// Reads the document.
    ///
    /// - Parameters:
    ///   - text: UTF-8 without byte order mark or NUL, which `ManifestText` has checked.
    ///   - file: how errors call the file.
    /// - Returns: the root node, or nil when the text holds only comments and white space.
    /// - Throws: `ManifestError` for the first thing that is not YAML or not allowed in a manifest.
    static func read(_ text: [UInt8], file: String) throws(ManifestError) -> YAMLNode? {
        let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
        defer { parser.deallocate() }
        guard yaml_parser_initialize(parser) == 1 else {
            throw ManifestError(.unreadable, file: file, "out of memory", nextStep: "free some memory and try again")
        }
        defer { yaml_parser_delete(parser) }
        return try text.withUnsafeBufferPointer { buffer throws(ManifestError) in
            yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
            yaml_parser_set_input_string(parser, buffer.baseAddress, buffer.count)
            return try YAMLReader(file: file, text: text, parser: parser).document()
        }
    }

    private func document() throws(ManifestError) -> YAMLNode? {
        _ = try next()
        let first = try next()
        guard case .documentStart(let hasDirective) = first.kind else { return nil }
        if hasDirective { throw unsupported("a % directive", at: first.start) }
        let root = try node(try next(), depth: 1)
        _ = try next()
        let end = try next()
        guard case .streamEnd = end.kind else { throw unsupported("a second document", at: end.start) }
        return root
    }

    private func node(_ event: YAMLEvent, depth: Int) throws(ManifestError) -> YAMLNode {
        if let feature = event.forbidden { throw unsupported(feature, at: event.start) }
        guard depth <= YAMLReader.maximumDepth else { throw tooDeep(event.start) }
        switch event.kind {
        case .scalar(let scalar):
            return YAMLNode(content: .scalar(scalar), start: event.start, end: event.end, isFlow: false)
        case .sequenceStart(let isFlow): return try sequence(event, isFlow: isFlow, depth: depth)
        case .mappingStart(let isFlow): return try mapping(event, isFlow: isFlow, depth: depth)
        default: throw unsupported("this construct", at: event.start)
        }
    }

    private func sequence(
        _ first: YAMLEvent, isFlow: Bool, depth: Int
    ) throws(ManifestError) -> YAMLNode {
        var items: [YAMLNode] = []
        while true {
            let event = try next()
            if case .sequenceEnd = event.kind {
                let end = isFlow ? event.end : items.last?.end ?? first.end
                return YAMLNode(content: .sequence(items), start: first.start, end: end, isFlow: isFlow)
            }
            items.append(try node(event, depth: depth + 1))
        }
    }

    private func mapping(
        _ first: YAMLEvent, isFlow: Bool, depth: Int
    ) throws(ManifestError) -> YAMLNode {
        var entries: [YAMLNode.Entry] = []
        var lines: [[UInt8]: Int] = [:]
        while true {
            let event = try next()
            if case .mappingEnd = event.kind {
                let end = isFlow ? event.end : entries.last?.value.end ?? first.end
                return YAMLNode(content: .mapping(entries), start: first.start, end: end, isFlow: isFlow)
            }
            let key = try self.key(event)
            if let line = lines.updateValue(event.start.line, forKey: key.bytes) {
                throw ManifestError(
                    .duplicateKey, file: file, line: event.start.line, column: event.start.column,
                    "the key \"\(printable(Bytes(key.bytes)))\" stands here again, first on line \(line)",
                    nextStep: "keep one of the two")
            }
            let value = try node(try next(), depth: depth + 1)
            entries.append(YAMLNode.Entry(key: key, keyStart: event.start, keyEnd: event.end, value: value))
        }
    }

    private func key(_ event: YAMLEvent) throws(ManifestError) -> YAMLNode.Scalar {
        if let feature = event.forbidden { throw unsupported(feature, at: event.start) }
        guard case .scalar(let key) = event.kind else { throw unsupported("a key that is not a word", at: event.start) }
        if key.isPlain, key.bytes == Array("<<".utf8) { throw unsupported("a merge key (<<)", at: event.start) }
        if key.plainMeaning == .null { throw unsupported("an empty key", at: event.start) }
        return key
    }

    private func next() throws(ManifestError) -> YAMLEvent {
        var event = yaml_event_t()
        guard yaml_parser_parse(parser, &event) == 1 else { throw syntaxError() }
        defer { yaml_event_delete(&event) }
        return YAMLEvent(event)
    }

    private func unsupported(_ what: String, at position: YAMLPosition) -> ManifestError {
        ManifestError(
            .unsupportedYAML, file: file, line: position.line, column: position.column,
            "expected plain keys, texts, lists and mappings, found \(what)",
            nextStep: "write the value out; in quotes if it is a text that begins with this character")
    }

    private func syntaxError() -> ManifestError {
        let state = parser.pointee
        let problem = state.problem.map { String(cString: $0) } ?? "not YAML"
        let context = state.context.map { String(cString: $0) + ": " } ?? ""
        var place = (
            line: Int(clamping: state.problem_mark.line) + 1, column: Int(clamping: state.problem_mark.column) + 1
        )
        // A character that YAML forbids has no mark, only its offset in bytes.
        if state.error == YAML_READER_ERROR {
            place = ManifestText.place(of: Int(clamping: state.problem_offset), in: text)
        }
        // libyaml looks ahead on a line for a key, and so meets its own bound of 1000 levels before ours.
        if problem.utf8.starts(with: "Maximum nesting level".utf8) || context.utf8.contains("Maximum nesting".utf8) {
            return tooDeep(YAMLPosition(line: place.line, column: place.column, index: 0))
        }
        return ManifestError(
            state.error == YAML_MEMORY_ERROR ? .unreadable : .syntax, file: file, line: place.line,
            column: place.column, "this is not YAML: \(context)\(problem)",
            nextStep: "look at this line and the one above for indentation, a missing quote or bracket")
    }

    private func tooDeep(_ position: YAMLPosition) -> ManifestError {
        ManifestError(
            .tooDeep, file: file, line: position.line, column: position.column,
            "expected at most \(YAMLReader.maximumDepth) levels of nesting, found more",
            nextStep: "write the value flatter; a manifest needs six levels")
    }
}
