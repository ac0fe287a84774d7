import TrstctlPolicy
import TrstctlSystem

/// Writes one plugin's entry into the places of a manifest's text where it belongs.
struct PluginWriter {
    let scope: ManifestScope
    let before: Plugin?
    let after: Plugin
    var edits: TextEdits
    var droppedComments: [String] = []
    /// How much deeper a block stands than its key.
    private var step = 2

    init(text: [UInt8], before: Plugin?, after: Plugin, scope: ManifestScope) {
        self.scope = scope
        self.before = before
        self.after = after
        edits = TextEdits(text)
    }

    mutating func write(into root: YAMLNode) throws(ManifestError) {
        guard case .mapping(let entries) = root.content, !root.isFlow else {
            throw notEditable("the manifest is written in braces")
        }
        if let key = entries.first, case .mapping = key.value.content { measure(key) }
        guard let plugins = entries["plugins"], case .mapping(let listed) = plugins.value.content else {
            guard let version = entries["version"] else { return }
            let lines = indented(["plugins:"] + indented(entryLines, by: step), by: root.indentation)
            edits.insert(lines: lines, afterLineOf: version.value.end)
            return
        }
        measure(plugins)
        guard !plugins.value.isFlow else {
            guard listed.isEmpty else { throw notEditable("plugins: is written in braces") }
            return fill(plugins, with: entryLines)
        }
        guard let entry = listed[after.name.text] else {
            let lines = indented(entryLines, by: plugins.value.indentation)
            return edits.insert(lines: lines, afterLineOf: plugins.value.end)
        }
        try update(entry)
    }

    private mutating func update(_ entry: YAMLNode.Entry) throws(ManifestError) {
        guard case .mapping(let fields) = entry.value.content else { return }
        measure(entry)
        guard !entry.value.isFlow else {
            guard fields.isEmpty else { throw notEditable("plugins.\(after.name) is written in braces") }
            return fill(entry, with: pinLines + keyLines + grantLines)
        }
        let indentation = entry.value.indentation
        let space = String(repeating: " ", count: indentation)
        var missing = after.needsKey && fields["needs_key"] == nil ? keyLines : []
        if after.needsKey, before?.needsKey == false, let field = fields["needs_key"] {
            edits.replace(field.value.start, field.value.end, with: "true")
        }
        if let pins = fields["sha256"] {
            if before?.pins != after.pins || before?.invalidPins != after.invalidPins {
                replace(list: pins.value, with: pinRules)
            }
        } else {
            let lines = pinLines + missing + (fields["grants"] == nil ? grantLines : [])
            missing = []
            edits.insert(lines.map { $0 + edits.lineBreak + space }.joined(), at: entry.value.start)
        }
        if let grants = fields["grants"] {
            try update(grants: grants)
        } else if fields["sha256"] != nil {
            missing += grantLines
        }
        if !missing.isEmpty, let pins = fields["sha256"] {
            edits.insert(lines: indented(missing, by: indentation), afterLineOf: pins.value.end)
        }
    }

    private mutating func update(grants entry: YAMLNode.Entry) throws(ManifestError) {
        guard case .mapping(let fields) = entry.value.content else { return }
        measure(entry)
        let changed = Capability.allCases.filter { isChanged($0) }
        guard !changed.isEmpty else { return }
        if entry.value.isFlow {
            guard !fields.isEmpty else { return fill(entry, with: after.grants.yamlLines) }
            droppedComments += edits.comments(in: entry.value)
            let lists = after.grants.yamlLines.joined(separator: ", ")
            return edits.replace(
                entry.value.start, entry.value.end, with: lists.isEmpty ? "{}" : "{ \(lists) }")
        }
        var missing: [String] = []
        for capability in changed {
            let rules = after.grants.yamlRules(capability)
            if let list = fields[capability.rawValue] {
                replace(list: list.value, with: rules)
            } else {
                missing.append("\(capability): [\(rules.joined(separator: ", "))]")
            }
        }
        guard !missing.isEmpty else { return }
        edits.insert(lines: indented(missing, by: entry.value.indentation), afterLineOf: entry.value.end)
    }

    private func isChanged(_ capability: Capability) -> Bool {
        let old = before.map { Set($0.grants.yamlRules(capability)) } ?? []
        return old != Set(after.grants.yamlRules(capability))
    }

    /// Writes a list in the style it has.
    private mutating func replace(list: YAMLNode, with rules: [String]) {
        droppedComments += edits.comments(in: list)
        let space = String(repeating: " ", count: list.indentation)
        let text =
            list.isFlow || rules.isEmpty
            ? "[\(rules.joined(separator: ", "))]"
            : rules.map { "- \($0)" }.joined(separator: edits.lineBreak + space)
        edits.replace(list.start, list.end, with: text)
    }

    /// Puts a block in the place of empty braces.
    private mutating func fill(_ entry: YAMLNode.Entry, with lines: [String]) {
        let deeper = indented(lines, by: entry.keyStart.column - 1 + step)
        edits.replaceWithBlanks(
            before: entry.value.start, entry.value.end,
            with: edits.lineBreak + deeper.joined(separator: edits.lineBreak))
    }

    private mutating func measure(_ entry: YAMLNode.Entry) {
        let deeper = entry.value.start.column - entry.keyStart.column
        if !entry.value.isFlow, entry.value.start.line > entry.keyStart.line, (1...8).contains(deeper) { step = deeper }
    }

    private var pinRules: [String] { after.pins.map { "\"\($0.hex)\"" } }

    private var pinLines: [String] { ["sha256: [\(pinRules.joined(separator: ", "))]"] }

    private var grantLines: [String] {
        after.grants.isEmpty ? [] : ["grants:"] + indented(after.grants.yamlLines, by: step)
    }

    private var keyLines: [String] { after.needsKey ? ["needs_key: true"] : [] }

    private var entryLines: [String] { ["\(after.name):"] + indented(pinLines + keyLines + grantLines, by: step) }

    private func indented(_ lines: [String], by count: Int) -> [String] {
        lines.map { String(repeating: " ", count: max(0, count)) + $0 }
    }

    /// The refusal to change the text, with what the operator can paste instead.
    func notEditable(_ reason: String) -> ManifestError {
        let lines = (["plugins:"] + indented(entryLines, by: step)).map { "    " + $0 }
        return ManifestError(
            .notEditable, file: scope.file, "the file was not changed: \(reason)",
            nextStep: "put these lines there yourself:\n" + lines.joined(separator: "\n"))
    }
}

extension YAMLNode {
    /// How many columns stand in front of a block.
    fileprivate var indentation: Int { start.column - 1 }
}
