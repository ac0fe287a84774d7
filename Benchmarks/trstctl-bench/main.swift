import CTrstctlSystem
import Glibc
import TrstctlLaunch

// Measures sessions with the echo connector; `scripts/bench` compares with what C can do.

let usage = """
    usage: trstctl-bench start DIRECTORY COUNT
           trstctl-bench verify DIRECTORY COUNT
           trstctl-bench ping DIRECTORY COUNT SIZE
           trstctl-bench log DIRECTORY COUNT
           trstctl-bench read-file DIRECTORY COUNT
           trstctl-bench write-file DIRECTORY COUNT SIZE
           trstctl-bench peak DIRECTORY 1 PROGRAM ARGUMENTS...
           trstctl-bench memory DIRECTORY 1 CONNECTOR
           trstctl-bench confinement DIRECTORY COUNT CONNECTOR
    DIRECTORY holds trstctl-connector-echo, or the connector named; write-file writes into it. Prints the median in nanoseconds; confinement prints
    those without and with it, and the median, the lower and the upper tenth of the differences; peak prints the KiB that
    the program had resident at most; memory prints the KiB
    that were resident at most, the sealed copy not counted.
    """

/// What the arguments ask for.
func bench(_ arguments: [String]) async throws -> [Int64] {
    guard arguments.count >= 3, let count = Int(arguments[2]), count > 0 else { throw BenchError(usage) }
    var bench = Bench(directory: arguments[1], count: count)
    switch (arguments[0], arguments.count) {
    case ("start", 3): return [try await bench.start()]
    case ("verify", 3): return [try bench.verify()]
    case ("ping", 4): return [try await bench.ping(bytes: Int(arguments[3]) ?? 64)]
    case ("log", 3): return [try await bench.nested(.log)]
    case ("read-file", 3): return [try await bench.nested(.readFile)]
    case ("memory", 4):
        bench.connector = arguments[3]
        return [try bench.memory()]
    case ("confinement", 4):
        bench.connector = arguments[3]
        return try await bench.confinement()
    case ("peak", 4...): return [try WriteBench.peak(Array(arguments.dropFirst(3)))]
    case ("write-file", 4):
        return [try WriteBench(directory: arguments[1], size: Int(arguments[3]) ?? 4_096, count: count).write()]
    default: throw BenchError(usage)
    }
}

signal(SIGPIPE, SIG_IGN)
trstctl_tune_malloc()
do {
    let arguments = Array(CommandLine.arguments.dropFirst())
    print(try await EventLoop.run { try await bench(arguments) }.map(String.init).joined(separator: " "))
} catch {
    let text = Array("trstctl-bench: \(error)\n".utf8)
    _ = write(2, text, text.count)
    exit(2)
}
