import Foundation
import Glibc
import TrstctlTestSupport

/// A PostgreSQL server of its own; where root runs the tests, nobody runs it, because it refuses to run as root.
final class RealPostgres {
    let port: UInt16
    private let process = Process()
    private let directory: ScratchDirectory

    private static func path(_ name: String) -> String? {
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib/postgresql")) ?? []
        return versions.sorted().map { "/usr/lib/postgresql/\($0)/bin/\(name)" }.last { access($0, X_OK) == 0 }
            ?? Tool.path(name)
    }

    /// Whether the test is run: where it is installed, and in CI, where the test fails without it.
    static var isExpected: Bool { Tool.isCI || (path("initdb") != nil && path("postgres") != nil) }

    /// Starts it and waits until it listens.
    init(_ credential: TestCredential, isOn: Bool) throws {
        guard let initdb = RealPostgres.path("initdb"), let postgres = RealPostgres.path("postgres"),
            let setpriv = Tool.path("setpriv")
        else { throw TestPKI.Failure(description: "there is no postgres") }
        port = try Tool.freePort()
        directory = try ScratchDirectory()
        let data = directory.file("data")
        let isRoot = getuid() == 0
        let script = """
            set -e
            \(isRoot ? "install -d -o nobody -m 0700" : "install -d -m 0700") '\(data)'
            cp '\(credential.certificatePath)' '\(data).crt'; cp '\(credential.keyPath)' '\(data).key'
            \(isRoot ? "chown nobody '\(data).key' '\(data).crt'" : ":"); chmod 0600 '\(data).key'
            run="\(isRoot ? "\(setpriv) --reuid=nobody --clear-groups" : "")"
            $run '\(initdb)' -D '\(data)' --no-sync -A trust >/dev/null
            exec $run '\(postgres)' -D '\(data)' -F -h 127.0.0.1 -p \(port) -k '' -c ssl=\(isOn ? "on" : "off") \
            -c ssl_cert_file='\(data).crt' -c ssl_key_file='\(data).key' -c logging_collector=off
            """
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", script]
        process.currentDirectoryURL = URL(fileURLWithPath: "/")
        process.standardInput = FileHandle.nullDevice
        process.standardError = output
        try process.run()
        var text = ""
        while !text.contains("ready to accept connections") {
            let chunk = output.fileHandleForReading.availableData
            guard !chunk.isEmpty else { throw TestPKI.Failure(description: "postgres did not start: \(text)") }
            text += String(decoding: chunk, as: UTF8.self)
        }
    }

    deinit {
        // The quick way for a server to end with all its processes is its immediate shutdown.
        kill(process.processIdentifier, SIGQUIT)
        process.waitUntilExit()
    }
}
