import Testing
import TrstctlHost

/// One row of the hostile suite whose attack is not the connector's alone: somebody changes files while the host runs, the
/// machine lacks something, or the host is started more than once.
struct SiegeCase: Sendable, CustomTestStringConvertible {
    /// What a run of the host came to.
    enum Outcome: Hashable, Sendable {
        /// The connector never served: its target was refused with this code.
        case refused(String)
        /// The target failed at this step with this code; its file is what it was.
        case failed(TargetReport.Stage, String)
        /// It was deployed.
        case served
        /// A brokered call met a bound, and the deployment went on to its end.
        case bounded(String)
        /// A brokered call failed, and the deployment went on to its end.
        case callFailed(String)
        /// The manifest was not used: no run began.
        case unusable(String)
        /// The command ended with this code: no run began.
        case exitCode(Int32)

        /// As `spec/hostile.md` has it.
        var text: String {
            switch self {
            case .refused(let code), .unusable(let code): "REFUSE(\(code))"
            case .failed(_, let code): "FATAL(\(code))"
            case .served: "ok"
            case .bounded(let code): "LIMIT(\(code))"
            case .callFailed(let code): "failed(\(code))"
            case .exitCode(let code): "exit code \(code)"
            }
        }
    }

    /// The row, for example `C03`.
    var id: String
    var name: String
    /// The misbehaviour of `hostile.c`, which is the connector's name.
    var connector = "besieged"
    /// What runs have to come to, each of these at least once.
    var must: Set<Outcome>
    /// What they may come to besides, because an attacker's luck decides.
    var may: Set<Outcome> = []
    /// False where the machine lacks what every connector needs: then the healthy one is served in the run after.
    var healthyMeanwhile = true
    /// Attacks, and runs the host meanwhile.
    var attack: @Sendable (Siege) async throws -> Void

    var testDescription: String { "\(id) \(name)" }

    /// Every row of every group.
    static let all = swaps + manifests + lifecycle + machines + bounds
}
