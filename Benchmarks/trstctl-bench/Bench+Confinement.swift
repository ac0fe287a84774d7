import Glibc
import TrstctlLaunch
import TrstctlPolicy
import TrstctlSystem

extension Bench {
    /// What confinement costs: starts of one connector under every layer and under none, turn by turn.
    ///
    /// - Returns: the medians, from the start to the end of Hello: without confinement, with it, and the median, the
    ///   lower and the upper tenth of the differences within a pair.
    func confinement() async throws -> [Int64] {
        let executable = try verified(pins: nil)
        var free: [Int64] = []
        var confined: [Int64] = []
        for turn in -3..<count {
            let first = try await startAndStop(executable, turn % 2 == 0 ? .off : .strict)
            let second = try await startAndStop(executable, turn % 2 == 0 ? .strict : .off)
            guard turn >= 0 else { continue }
            free.append(turn % 2 == 0 ? first : second)
            confined.append(turn % 2 == 0 ? second : first)
        }
        let differences = zip(confined, free).map { $0 - $1 }.sorted()
        return [
            free.median, confined.median, differences.median, differences[count / 10], differences[count * 9 / 10],
        ]
    }

    /// The most memory that was resident while the connector was verified, in KiB.
    ///
    /// The sealed copy is not part of it:
    /// nobody maps it.
    func memory() throws -> Int64 {
        let executable = try verified(pins: nil)
        defer { withExtendedLifetime(executable) {} }
        var usage = rusage()  // RUSAGE_SELF is 0; Glibc gives it a type that getrusage does not take
        guard getrusage(0, &usage) == 0 else { throw BenchError("\(SystemError.last("getrusage"))") }
        return Int64(usage.ru_maxrss)
    }

    private func startAndStop(_ executable: VerifiedExecutable, _ mode: ConfinementMode) async throws -> Int64 {
        let answers = Answers()
        var request = SessionRequest(name: executable.name.text, handler: CallHandler(answers.begin))
        request.confinement = mode
        let begin = Deadline.now
        let (session, layers) = try await Session.start(executable, request)
        let time = Deadline.now.nanoseconds - begin.nanoseconds
        guard mode == .off || layers.missing.isEmpty else {
            throw BenchError("not confined: \(layers.missing.map(\.description))")
        }
        await session.stop()
        return time
    }
}
