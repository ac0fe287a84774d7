import CTrstctlSystem
import Foundation
import Glibc
import Testing
import TrstctlProcess
import TrstctlSystem

/// A private directory that goes away with its owner.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/trstctl-test-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { path + "/" + name }

    @discardableResult
    func write(_ content: [UInt8], to name: String, mode: mode_t = 0o755) throws -> String {
        let path = file(name)
        try Data(content).write(to: URL(fileURLWithPath: path))
        try #require(chmod(path, mode) == 0)
        return path
    }
}

/// What a process wrote to its standard output, and how it ended.
struct Run {
    var output: String
    var status: TrstctlProcess.ExitStatus?

    var lines: [String] { output.split(separator: "\n").map(String.init) }
}

/// Both ends of a pipe.
struct BytePipe: ~Copyable {
    let reader: OwnedDescriptor
    let writer: OwnedDescriptor

    init() throws {
        var ends: [Int32] = [-1, -1]
        try #require(trstctl_pipe(&ends, 0) == 0)
        reader = OwnedDescriptor(ends[0])
        writer = OwnedDescriptor(ends[1])
    }

    /// Reads to the end, which comes when the last writer has closed.
    consuming func drain() -> String {
        let number = reader.raw
        _ = consume writer
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(number, &buffer, buffer.count)
            if count == -1 && errno == EINTR { continue }
            guard count > 0 else { return String(decoding: all, as: UTF8.self) }
            all += buffer.prefix(count)
        }
    }
}

/// Starts a program by path, with standard output and standard error in one pipe, and waits for it.
func run(
    _ path: String, _ arguments: [String] = [], change: (inout SpawnRequest) -> Void = { _ in }
) throws -> Run {
    let pipe = try BytePipe()
    var request = SpawnRequest(
        .path(Bytes(path)), arguments: ([path] + arguments).map { Bytes($0) },
        standardOutput: pipe.writer.raw, standardError: pipe.writer.raw)
    change(&request)
    let child = try ChildProcess.spawn(request)
    let output = pipe.drain()
    return Run(output: output, status: child.reap(until: .after(milliseconds: 30_000)))
}

/// A descriptor of `/dev/null` for writing.
func openNull() throws -> OwnedDescriptor {
    OwnedDescriptor(try retryingInterrupts("open") { open("/dev/null", O_WRONLY | O_CLOEXEC) })
}

/// Compiles a C program; `cc` is a prerequisite of the tests.
func compile(_ source: String, to path: String, flags: [String]) throws {
    let file = path + ".c"
    try source.write(toFile: file, atomically: false, encoding: .utf8)
    let compiler = Process()
    compiler.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    compiler.arguments = ["cc", "-O1", "-Wall", "-Werror", "-o", path, file] + flags
    try compiler.run()
    compiler.waitUntilExit()
    try #require(compiler.terminationStatus == 0, "cc failed; apt-get install gcc libc6-dev")
}
