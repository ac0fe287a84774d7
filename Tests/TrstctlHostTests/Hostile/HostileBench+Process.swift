import Foundation
import Glibc
import Testing
import TrstctlLaunch
import TrstctlSystem
import TrstctlTestSupport

/// The built command at a bench.
extension HostileBench {
    /// Starts the command with the bench's manifest.
    ///
    /// - Parameters:
    ///   - arguments: what follows the options that name the private places.
    ///   - words: another program that runs it, with its first arguments.
    ///   - environment: variables beside the fixed ones.
    /// - Returns: the running command.
    /// - Throws: when it is not built or cannot be started.
    func start(
        _ arguments: [String], under words: [String] = [], environment: [String] = []
    ) throws -> RunningCommand {
        let path = try BuiltProduct.path("trstctl")
        let own = [
            path, "--manifest", scratch.file("trstctl.yaml"), "--state-dir", scratch.file("state"), "--plugin-dir",
            hostileDirectory, "--plugin-dir", scratch.file("plugins"),
        ]
        return try RunningCommand(
            words.first ?? path, words + own + arguments, home: scratch.path, environment: environment)
    }

    /// Compiles a file of `Tests/Fixtures`.
    ///
    /// - Parameters:
    ///   - name: the file.
    ///   - flags: for the compiler.
    /// - Returns: the path of what came out.
    /// - Throws: when there is no C compiler.
    func compile(_ name: String, _ flags: [String]) throws -> String {
        let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../Fixtures/\(name)").standardized.path
        let place = scratch.file("compiled")
        let compiler = Process()
        compiler.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        compiler.arguments = ["cc", "-O1", "-Wall", "-Wextra", "-Werror"] + flags + ["-o", place, source]
        try compiler.run()
        compiler.waitUntilExit()
        try #require(compiler.terminationStatus == 0, "cc failed; apt-get install gcc libc6-dev")
        return place
    }

    /// The path that a process was started by, which for a connector is the host's doing.
    func words(of process: Int32) -> String {
        let data = FileManager.default.contents(atPath: "/proc/\(process)/cmdline") ?? Data()
        return data.split(separator: 0).first.map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    /// The socket directory that a connector was told; nil while it is still the host's copy.
    func socketDirectory(of process: Int32) -> String? {
        let data = FileManager.default.contents(atPath: "/proc/\(process)/environ") ?? Data()
        let name = "TRSTCTL_PLUGIN_SOCKET_DIR="
        return data.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }.first { $0.hasPrefix(name) }
            .map { String($0.dropFirst(name.count)) }
    }

    /// Looks again and again, for at most two minutes, from the event loop, which no test blocks.
    ///
    /// - Parameters:
    ///   - type: of the answer.
    ///   - condition: an answer, or nil for another look.
    /// - Returns: the answer.
    /// - Throws: when there is none.
    func eventually<Answer: Sendable>(
        _ type: Answer?.Type, _ condition: @Sendable @escaping () -> Answer?
    ) async throws -> Answer {
        let answer = try await EventLoop.run { () -> Answer? in
            let end = Deadline.after(milliseconds: 120_000)
            while !end.hasPassed {
                if let answer = condition() { return answer }
                _ = await OneShot<Bool>().wait(until: .after(milliseconds: 1))
            }
            return nil
        }
        return try #require(answer, "what was waited for did not happen")
    }

    /// Looks until it is so.
    func eventually(_ condition: @Sendable @escaping () -> Bool) async throws {
        _ = try await eventually(Bool?.self) { condition() ? true : nil }
    }
}
