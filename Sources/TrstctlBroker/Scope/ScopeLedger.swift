import TrstctlPolicy
import TrstctlSystem
package import TrstctlWire

/// What a scope counts and records.
struct ScopeLedger: Sendable {
    private let limits: ScopeLimits
    private(set) var records: [EffectRecord] = []
    private(set) var recordsDropped = 0
    private(set) var denials = 0
    /// How many of the records are of calls that change nothing.
    private var harmless = 0
    private var mutations = 0
    private var bytesWritten = 0
    var isClosed = false

    init(limits: ScopeLimits) {
        self.limits = limits
    }

    /// Counts a record, and keeps it when there are not too many yet.
    ///
    /// - Returns: whether it was kept.
    mutating func add(_ record: EffectRecord) -> Bool {
        if record.outcome == .denied { denials += 1 }
        if !record.isMutation {
            guard harmless < limits.records else {
                recordsDropped += 1
                return false
            }
            harmless += 1
        }
        records.append(record)
        return true
    }

    /// Counts a call that is about to change something.
    ///
    /// - Throws: `scopeOver`, or `limit` when it could not be recorded.
    mutating func begin(_ record: inout EffectRecord) throws(EffectError) {
        guard !isClosed else { throw .scopeOver }
        guard mutations < limits.mutations else {
            throw EffectError(
                .limit, object: record.object,
                "one call changes something at most \(limits.mutations) times, counting what failed")
        }
        mutations += 1
        record.isMutation = true
    }

    /// Accounts for content that is about to be written.
    mutating func charge(_ bytes: Int, _ path: AbsolutePath) throws(EffectError) {
        guard bytes <= limits.bytesWritten - bytesWritten else {
            throw EffectError(
                .limit, object: path.description, "a deployment writes at most \(limits.bytesWritten) bytes in all")
        }
        bytesWritten += bytes
    }
}

/// What a performed call answers, and what the record says of it.
struct Effect: Sendable {
    var result: Wire.Reply.Result
    var bytes = 0
    var isPlanned = false
    var note: String?
}

extension EffectRecord {
    /// The most bytes of a record's texts.
    static let textLimit = 1_024

    /// An object as records name it.
    package static func shown(_ object: String) -> String { cut(object, toUTF8: textLimit) }

    /// A record that is filled in when the call is done.
    package init(_ method: Wire.Call.Method?) {
        let name =
            switch method {
            case .readFile: "ReadFile"
            case .writeFile: "WriteFile"
            case .removeFile: "RemoveFile"
            case .stat: "Stat"
            case .revert: "Revert"
            case .exec: "Exec"
            case .probeTls: "ProbeTLS"
            case .request: "Request"
            case .send: "Send"
            default: "unknown"
            }
        self.init(operation: name, object: "", outcome: .failed, bytes: 0, milliseconds: 0)
    }
}

extension EffectError {
    static let scopeOver = EffectError(
        .scopeOver, object: "", "the scope is over: the call that this brokered call belongs to has ended")

    /// A decision of the policy as the connector sees it.
    init(_ denial: Denial) {
        let code: Code
        switch denial.reason {
        case .badPath, .badAddress, .badArguments: code = .invalidPath
        case .unsupported: code = .unimplemented
        case .notGranted: code = .notGranted
        case .notDeclared: code = .notDeclared
        case .readOnlyScope: code = .readOnlyScope
        }
        self.init(code, object: denial.object, denial.message, fix: denial.manifestLine ?? "")
    }
}

extension Ticket {
    /// The rule that allows it, as text for people.
    var rule: String {
        switch self {
        case .file(let ticket): ticket.grant
        case .exec(let ticket): ticket.grant
        case .dial(let ticket): ticket.grant
        case .socket(let ticket): ticket.grant
        }
    }
}
