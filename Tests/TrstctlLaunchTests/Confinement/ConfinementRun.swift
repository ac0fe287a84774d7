import CTrstctlSystem
import Foundation
import Glibc
import Synchronization
import Testing
import TrstctlLaunch
import TrstctlPolicy
import TrstctlProcess
import TrstctlSystem
import TrstctlTestSupport

enum ProbeBuild: Sendable {
    case isStatic
    case isDynamic
}

/// The compiled probe in a plugin directory, with a canary file and a listener that it must not reach.
struct Probe {
    struct Result {
        var status: TrstctlProcess.ExitStatus?
        var answers: [String: String]
        var layers: ActiveLayers

        /// The attempts that succeeded.
        var successes: Set<String> { Set(answers.filter { $0.value == "ok" }.keys) }
    }

    /// The C library's dynamic linker on this machine.
    static var linker: String {
        ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"].first { access($0, F_OK) == 0 } ?? ""
    }

    private static let compiled = Mutex<[ProbeBuild: [UInt8]]>([:])

    let canaries: Canaries
    let executable: VerifiedExecutable

    init(_ build: ProbeBuild) throws {
        canaries = try Canaries()
        let directory = try TemporaryDirectory()
        try directory.write(try Probe.binary(build), to: "trstctl-connector-probe")
        let discovery = Discovery(SearchPath(explicit: [Bytes(directory.path)], variable: nil, home: nil))
        let name = try #require(ConnectorName("probe"))
        let sealed = try SealedExecutable(copying: try discovery.candidate(name))
        executable = try VerifiedExecutable(sealed, pins: Pins([sealed.digest]))
    }

    /// Compiles once for all tests.
    static func binary(_ build: ProbeBuild) throws -> [UInt8] {
        try compiled.withLock { cache in
            if let known = cache[build] { return known }
            let scratch = try TemporaryDirectory()
            let path = scratch.file("probe")
            let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
                .appendingPathComponent("../../Fixtures/Confinement/probe.c").standardized.path
            try compile(
                "#include \"\(source)\"\n", to: path, flags: ["-pthread"] + (build == .isStatic ? ["-static"] : []))
            let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
            cache[build] = bytes
            return bytes
        }
    }

    /// Runs the probe and collects its answers; `without` leaves layers out, `failing` makes them fail as if the kernel
    /// lacked them, `only` names the one attempt to make instead of all that do not end the process.
    func run(
        mode: ConfinementMode = .strict, without: Set<Layer> = [], failing: Set<Layer> = [], only: String? = nil,
        limits: ConfinementLimits = ConfinementLimits()
    ) throws -> Result {
        let work = try TemporaryDirectory()
        try #require(chmod(work.path, 0o777) == 0)
        let runPath = work.file("run")
        try #require(mkdir(runPath, 0o700) == 0)
        let privileged = work.file("setuid")
        if only == "setuid" {
            try work.write(try Probe.binary(.isStatic), to: "setuid")
            try #require(chmod(privileged, 0o4755) == 0)
        }
        var environment =
            canaries.environment + ["DIRECTORY=" + runPath, "ELSEWHERE=" + work.file("e"), "SETUID=" + privileged]
        if let only { environment.append("ONLY=" + only) }

        let pipe = try BytePipe()
        let runDirectory = OwnedDescriptor(open(runPath, O_RDONLY | O_DIRECTORY | O_CLOEXEC))
        var confinement = try Confinement(
            try SandboxProfile(for: executable.kind), mode: mode, limits: limits, runDirectory: runDirectory,
            faults: ConfinementFaults(skipped: without, failing: failing))
        let child = try executable.start(
            under: &confinement, environment: environment.map { Bytes($0) }, standardOutput: pipe.writer.raw,
            standardError: pipe.writer.raw)
        // The answers fit into the pipe; what holds it open beyond the process must not survive the reaping.
        let status = child.reap(until: .after(milliseconds: 30_000))
        let lines = pipe.drain().split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        let pairs = lines.map { ($0.first ?? "", $0.last ?? "") }
        return Result(
            status: status,
            answers: Dictionary(pairs, uniquingKeysWith: { _, last in last }), layers: confinement.layers)
    }
}
