import Foundation
import TrstctlPolicy
import TrstctlSystem

/// What a row of spec/conformance/grants says, as values of the host.
struct GrantVectors {
    static let directory = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../spec/conformance/grants")

    /// The rows of one table.
    static func rows(_ name: String) throws -> [[String: Any]] {
        let text = try String(contentsOf: directory.appending(path: "\(name).jsonl"), encoding: .utf8)
        return try text.split(separator: "\n").map { line in
            let row = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            guard let row else { throw Malformed(what: String(line)) }
            return row
        }
    }

    struct Malformed: Error {
        let what: String
    }

    /// A text: its UTF-8, or what `{"hex": …}` says.
    static func bytes(_ value: Any?) throws -> Bytes {
        if let text = value as? String { return Bytes(text) }
        guard let hex = (value as? [String: Any])?["hex"] as? String else { throw Malformed(what: "\(value ?? "nil")") }
        let digits = Array(hex.utf8).map { UInt8(String(UnicodeScalar($0)), radix: 16) ?? 0 }
        return Bytes(stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] })
    }

    /// Adds a rule as it stands in a table.
    ///
    /// - Throws: `GrammarError` for one that the host refuses.
    static func add(_ rule: Any, _ capability: String, to set: inout GrantSet) throws {
        switch Capability(rawValue: capability) {
        case .fsRead: set.read.append(try PathGrant(try bytes(rule)))
        case .fsWrite: set.write.append(try PathGrant(try bytes(rule)))
        case .netDial: set.dial.append(try DialGrant(try bytes(rule)))
        case .processExec:
            let terms = rule as? [String: Any]
            let argv = try ((terms?["argv"] ?? rule) as? [Any] ?? []).map { try bytes($0) }
            let pins = (terms?["sha256"] as? [String] ?? []).compactMap { SHA256Digest(hex: $0) }
            set.exec.append(
                try ExecGrant(
                    rule: argv, terms: ExecTerms(pins: pins, allowsSetuid: terms?["setuid"] as? Bool ?? false)))
        case nil: throw Malformed(what: capability)
        }
    }

    /// A set as it stands in a table; nil when the row has none of this name.
    static func set(_ value: Any?) throws -> GrantSet? {
        guard let capabilities = value as? [String: Any] else { return nil }
        var set = GrantSet()
        for (capability, rules) in capabilities {
            for rule in rules as? [Any] ?? [] { try add(rule, capability, to: &set) }
        }
        return set
    }

    /// What the host decides about an operation, in the words of a table, and the directory that it opens.
    static func decide(
        _ operation: Any?, scope: String?, effective: GrantSet, declared: GrantSet?
    ) throws -> (decision: String, reason: String?, beneath: String?, permits: [String]?) {
        guard let entry = (operation as? [String: Any])?.first else { throw Malformed(what: "operation") }
        let parsed: TrstctlPolicy.Operation
        do {
            parsed = try self.operation(entry.key, entry.value)
        } catch let error as GrammarError {
            let capability: Capability =
                entry.key == "run" ? .processExec : ["connect", "send"].contains(entry.key) ? .netDial : .fsRead
            return ("denied", Denial.malformed(error, capability: capability).reason.rawValue, nil, nil)
        }
        let rights: ScopeRights = scope == "read-only" ? .readOnly : scope == "plan" ? .recording : .mutating
        switch authorize(parsed, effective: effective, scope: rights, declared: declared) {
        case .denied(let denial): return ("denied", denial.reason.rawValue, nil, nil)
        case .allowed(.file(let ticket)): return ("allowed", nil, ticket.root.description, nil)
        case .allowed(.dial(let ticket)):
            return ("allowed", nil, nil, ticket.options.suffix.split(separator: " ").map(String.init))
        case .allowed(.socket): return ("allowed", nil, nil, [])
        case .allowed(.exec): return ("allowed", nil, nil, nil)
        }
    }

    private static func operation(_ kind: String, _ subject: Any) throws -> TrstctlPolicy.Operation {
        switch kind {
        case "read": return .readFile(try AbsolutePath(try bytes(subject)))
        case "stat": return .stat(try AbsolutePath(try bytes(subject)))
        case "write": return .writeFile(try AbsolutePath(try bytes(subject)))
        case "remove": return .removeFile(try AbsolutePath(try bytes(subject)))
        case "run":
            let argv = try (subject as? [Any] ?? []).map { try bytes($0) }
            _ = try ExecGrant(argv: argv)
            return .exec(argv: argv)
        case "connect", "send":
            let text = try bytes(subject)
            let socket = "unix:".utf8
            guard text.array.starts(with: socket) else {
                let address = try DialAddress(text)
                return kind == "send" ? .send(address) : .dial(address)
            }
            let path = try AbsolutePath(Bytes(Array(text.array.dropFirst(socket.count))))
            return kind == "send" ? .sendSocket(path) : .dialSocket(path)
        default: return .unsupported(kind)
        }
    }
}
