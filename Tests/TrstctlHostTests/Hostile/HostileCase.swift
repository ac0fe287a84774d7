import Testing
import TrstctlHost
import TrstctlTestSupport

/// One row of the hostile suite: an attack, what must come of it, and the word under which it is reported.
struct HostileCase: Sendable, CustomTestStringConvertible {
    /// What must come of it.
    enum Outcome: Sendable, Equatable {
        /// The connector never serves: its target is refused with this code, and so does the audit log say.
        case refused(String)
        /// The target fails at this step with this code; its file is what it was.
        case failed(TargetReport.Stage, String)
        /// A brokered call is denied with this code, and the deployment goes on to its end.
        case denied(String)
        /// A brokered call is denied with this code, and the target fails with the other.
        case deniedThenFailed(String, TargetReport.Stage, String)
        /// Nothing is wrong with it, or it harms only itself: it is deployed.
        case served
        /// The run is interrupted before the target was touched, which is reported with this code.
        case cancelled(String)
        /// The host is killed; its next start puts everything back, and says so with this word.
        case undone(String)

        /// As `spec/hostile.md` has it.
        var text: String {
            switch self {
            case .refused(let code): "REFUSE(\(code))"
            case .failed(_, let code): "FATAL(\(code))"
            case .denied(let code): "DENY(\(code))"
            case .deniedThenFailed(let denial, _, let code): "DENY(\(denial)), FATAL(\(code))"
            case .served: "ok"
            case .cancelled(let code): "CANCEL(\(code))"
            case .undone(let word): "UNDO \(word)"
            }
        }
    }

    /// The row, for example `F02`.
    var id: String
    /// The misbehaviour of `hostile.c`, which is the connector's name.
    var connector: String
    var outcome: Outcome
    /// What the report, or the connector's output, must say.
    var says = ""
    /// False for what the sandbox would stop before the host has to.
    var isConfined = true
    /// Lines below the connector's entry in the manifest, beside pin and grants.
    var plugin: [String] = []
    /// What stands between the brackets of `sha256:`; nil means its digest, and empty means no entry at all.
    var pin: String?
    /// Makes the executable what it is, before it is pinned.
    var make: (@Sendable (_ bench: HostileBench, _ path: String) throws -> Void)?
    /// Changes it, or what is beside it, after it was pinned.
    var tamper: (@Sendable (_ bench: HostileBench, _ path: String) throws -> Void)?
    /// Deadlines that have to pass for the test to be over, and limits.
    var options: (@Sendable (inout TrstctlHost.Host.Options) -> Void)?

    init(
        _ id: String, _ connector: String, _ outcome: Outcome, says: String = "", isConfined: Bool = true,
        plugin: [String] = [], pin: String? = nil,
        make: (@Sendable (HostileBench, String) throws -> Void)? = nil,
        tamper: (@Sendable (HostileBench, String) throws -> Void)? = nil,
        options: (@Sendable (inout TrstctlHost.Host.Options) -> Void)? = nil
    ) {
        self.id = id
        self.connector = connector
        self.outcome = outcome
        self.says = says
        self.isConfined = isConfined
        self.plugin = plugin
        self.pin = pin
        self.make = make
        self.tamper = tamper
        self.options = options
    }

    var testDescription: String { "\(id) \(connector)\(says.isEmpty ? "" : ": \(says)")" }

    /// Every row of every group.
    static let all =
        discovery + checksums + signatures + signatureForms + handshakes + frames + calls + sandbox + lifecycle
        + resources + SandboxCase.all.map(\.entry) + runs + processes
}
