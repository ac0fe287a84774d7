import Foundation
import Glibc
package import TrstctlProcess
import TrstctlSystem

/// The built `trstctl`, run as a process of its own with a manifest, a state directory and connectors of its own.
package final class TrstctlCommand: Sendable {
    /// How a run ended, and what it printed.
    package struct Outcome: Sendable, CustomStringConvertible {
        package let status: TrstctlProcess.ExitStatus?
        package let output: String
        package let errors: String

        /// The exit code; -1 when a signal ended it.
        package var code: Int32 {
            if case .exited(let code) = status { code } else { -1 }
        }

        /// For the message of a failed expectation.
        package var description: String {
            "\(status.map(String.init(describing:)) ?? "still running")\n\(output)\n\(errors)"
        }

        /// What `--json` printed, decoded.
        ///
        /// - Returns: the value.
        /// - Throws: when it is no JSON of this shape.
        package func json<Value: Decodable>(_ type: Value.Type) throws -> Value {
            try JSONDecoder().decode(type, from: Data(output.utf8))
        }
    }

    package let scratch: ScratchDirectory
    /// Certificates for the credentials of the manifest.
    package let pki: TestPKI

    /// Makes everything but the manifest.
    package init() throws {
        scratch = try ScratchDirectory()
        try scratch.makeDirectory("plugins")
        pki = try TestPKI(try scratch.makeDirectory("pki", mode: 0o700))
    }

    package var manifest: String { scratch.file("trstctl.yaml") }
    package var plugins: String { scratch.file("plugins") }
    package var state: String { scratch.file("state") }

    /// Writes the manifest.
    package func write(manifest text: String) throws { try scratch.write(text, to: "trstctl.yaml") }

    /// The manifest as it is now.
    package func readManifest() throws -> String { try String(contentsOfFile: manifest, encoding: .utf8) }

    /// Runs a command to its end, which must come within two minutes.
    ///
    /// - Parameter arguments: what follows the options that name the private places.
    /// - Returns: how it ended.
    /// - Throws: when it is not built or cannot be started.
    package func run(_ arguments: String...) async throws -> Outcome { try await start(arguments).outcome() }

    /// Starts a command.
    ///
    /// - Parameters:
    ///   - arguments: what follows the options that name the private places.
    ///   - environment: variables beside the fixed ones, `NAME=value`.
    /// - Returns: the running command.
    /// - Throws: when it is not built or cannot be started.
    package func start(_ arguments: [String], environment: [String] = []) throws -> RunningCommand {
        let path = try BuiltProduct.path("trstctl")
        let words =
            [path, "--manifest", manifest, "--state-dir", state, "--plugin-dir", plugins] + arguments
        return try RunningCommand(path, words, home: scratch.path, environment: environment)
    }
}

/// A command that runs.
package final class RunningCommand: Sendable {
    private let child: ChildProcess
    private let files: ScratchDirectory

    /// Starts a program.
    ///
    /// - Parameters:
    ///   - path: of the program.
    ///   - words: its command line, its own name first.
    ///   - home: its home directory.
    ///   - leavesChildren: whether its children may stay when it ends, as a daemon's do.
    ///   - environment: variables beside the fixed ones, `NAME=value`.
    /// - Throws: when it cannot be started.
    package init(
        _ path: String, _ words: [String], home: String, leavesChildren: Bool = false, environment: [String] = []
    ) throws {
        files = try ScratchDirectory()
        let output = try RunningCommand.create(files.file("out"))
        let errors = try RunningCommand.create(files.file("err"))
        var request = SpawnRequest(
            .path(Bytes(path)), arguments: words.map { Bytes($0) }, standardOutput: output.raw,
            standardError: errors.raw)
        // The host must not print memory when it crashes, even where backtraces are asked for.
        request.environment =
            [
                "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "HOME=\(home)",
                "SWIFT_BACKTRACE=enable=yes,color=no",
            ].map { Bytes($0) } + environment.map { Bytes($0) }
        request.groupEndsWithLeader = !leavesChildren
        child = try ChildProcess.spawn(request)
    }

    private static func create(_ path: String) throws -> OwnedDescriptor {
        OwnedDescriptor(
            try retryingInterrupts("open", path) { open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600) })
    }

    package var processID: Int32 { child.pid }

    /// Whether it has not ended.
    package var isRunning: Bool { child.tryReap() == nil }

    /// What it printed on stderr so far.
    package var errors: String { (try? String(contentsOfFile: files.file("err"), encoding: .utf8)) ?? "" }

    /// Sends it a signal.
    package func signal(_ number: Int32) { child.signal(number) }

    /// Waits for its end.
    ///
    /// - Returns: how it ended; after two minutes without a status, and then it is killed.
    package func outcome() async -> TrstctlCommand.Outcome {
        let status = await withCheckedContinuation { continuation in
            Thread.detachNewThread { [child] in
                let status = child.reap(until: .after(milliseconds: 120_000))
                if status == nil { child.signalGroup(SIGKILL) }
                continuation.resume(returning: status)
            }
        }
        let output = (try? Data(contentsOf: URL(fileURLWithPath: files.file("out")))) ?? Data()
        return TrstctlCommand.Outcome(
            status: status, output: String(decoding: output, as: UTF8.self), errors: errors)
    }
}
