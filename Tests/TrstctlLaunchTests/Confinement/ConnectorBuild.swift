import Foundation
import Glibc
import Synchronization
import Testing
import TrstctlCrypto
import TrstctlPolicy
import TrstctlSystem
import TrstctlTestSupport

@testable import TrstctlLaunch

/// One way to build a connector: a language, and how it is linked.
enum ConnectorBuild: String, CaseIterable, CustomTestStringConvertible {
    case cStatic, cDynamic
    case swiftStatic, swiftStaticLibrary, swiftDynamic
    case goStatic, goDynamic
    case python

    var testDescription: String { rawValue }

    /// The name that the connector has.
    var connector: String {
        switch self {
        case .cStatic, .cDynamic: "healthy"  // the hostile one under the name of no case
        case .swiftStatic, .swiftStaticLibrary, .swiftDynamic: "echo"
        case .goStatic, .goDynamic: "go"
        case .python: "python"
        }
    }

    /// What `plugin list` says about it.
    var link: String {
        switch self {
        case .cStatic, .swiftStatic, .goStatic: "static"
        case .cDynamic, .swiftStaticLibrary, .swiftDynamic, .goDynamic: "dynamic"
        case .python: "script"
        }
    }

    private static let scratch = Mutex<ScratchDirectory?>(nil)

    /// Builds it once in a test run, and installs it.
    ///
    /// - Throws: when the compiler is missing; `scripts/setup --test` installs it.
    func install(in directory: String) throws {
        let place = "\(directory)/trstctl-connector-\(connector)"
        guard self != .swiftStatic else { return try BuiltProduct.link("echo", in: directory) }
        let built = try ConnectorBuild.scratch.withLock { scratch in
            if scratch == nil {
                scratch = try ScratchDirectory()
                // The one that stays to the end of the process does not run its deinit.
                atexit { ConnectorBuild.scratch.withLock { $0 = nil } }
            }
            let folder = try #require(scratch)
            let path = folder.file(rawValue)
            if access(path, F_OK) != 0 { try build(path, folder.path) }
            return path
        }
        try FileManager.default.copyItem(atPath: built, toPath: place)
        try #require(chmod(place, 0o755) == 0)
    }

    private func build(_ path: String, _ scratch: String) throws {
        let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../Fixtures").standardized.path
        switch self {
        case .cStatic, .cDynamic:
            let link = self == .cStatic ? ["-static"] : []
            try ConnectorBuild.run(
                ["cc", "-O1", "-DSCRATCH=\"/nonexistent\""] + link + ["-o", path, fixtures + "/Hostile/hostile.c"])
        case .goStatic, .goDynamic:
            let environment = [
                "CGO_ENABLED": self == .goStatic ? "0" : "1", "GOCACHE": scratch + "/go", "GOPATH": scratch + "/path",
                "GO111MODULE": "off", "GOTOOLCHAIN": "local",
            ]
            try ConnectorBuild.run(
                ["go", "build", "-o", path, fixtures + "/Connectors/minimal.go"], environment: environment)
        case .swiftStaticLibrary, .swiftDynamic:
            // The objects of the static one, as SwiftPM compiled them, linked in another way.
            let list = try BuiltProduct.path("trstctl-connector-echo") + ".product/Objects.LinkFileList"
            try ConnectorBuild.run(
                ["swiftc"] + (self == .swiftDynamic ? [] : ["-static-stdlib"])
                    + [
                        "-o", path, "@" + list, "-lprotobuf-c", "-Xlinker",
                        "--defsym=main=trstctl_connector_echo_main",
                    ])
        case .python: try FileManager.default.copyItem(atPath: fixtures + "/Connectors/minimal.py", toPath: path)
        case .swiftStatic: break
        }
    }

    private static func run(_ words: [String], environment: [String: String] = [:]) throws {
        let compiler = Process()
        compiler.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        compiler.arguments = words
        compiler.environment = ProcessInfo.processInfo.environment.merging(environment) { _, own in own }
        try compiler.run()
        compiler.waitUntilExit()
        try #require(compiler.terminationStatus == 0, "\(words.joined(separator: " ")) failed; scripts/setup --test")
    }

    /// What its manifest entry would say beside the pin.
    func rules(_ digest: SHA256Digest) throws -> VerificationRules {
        var rules = VerificationRules(Pins([digest]))
        if self == .python { rules.script = try ConnectorBuild.interpreterRule("/usr/bin/python3") }
        return rules
    }

    /// A rule that accepts the interpreter as it is installed.
    static func interpreterRule(_ path: String) throws -> ScriptRule {
        try #require(access(path, X_OK) == 0, "\(path) is missing; scripts/setup --test")
        let digest = try #require(SHA256Digest(hex: try EchoManifest.digest(path)))
        return ScriptRule(interpreter: try AbsolutePath(path), pins: [digest])
    }

    /// The directories that its manifest entry would name: those of the toolchain, for what links with its libraries.
    func libraries() throws -> [AbsolutePath] {
        guard self == .swiftDynamic else { return [] }
        let compiler = try #require(ConnectorBuild.which("swiftc"), "swiftc is not in the PATH")
        let runtime = URL(fileURLWithPath: compiler).resolvingSymlinksInPath().deletingLastPathComponent()
            .appendingPathComponent("../lib/swift/linux").standardized.path
        return [try AbsolutePath(runtime)]
    }

    private static func which(_ program: String) -> String? {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        return path.split(separator: ":").map { "\($0)/\(program)" }.first { access($0, X_OK) == 0 }
    }

    /// Verifies it as the host does.
    func executable(in directory: String) throws -> VerifiedExecutable {
        let discovery = Discovery(SearchPath(explicit: [Bytes(directory)], variable: nil, home: nil))
        let sealed = try SealedExecutable(copying: try discovery.candidate(try #require(ConnectorName(connector))))
        return try VerifiedExecutable(sealed, try rules(sealed.digest))
    }
}
