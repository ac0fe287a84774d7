import Foundation
import Glibc
import Testing
import TrstctlBroker
import TrstctlCrypto
import TrstctlSystem
import TrstctlTestSupport

/// A real NGINX on a loopback port, with a configuration, a prefix and certificates of its own.
final class PrivateNGINX: Sendable {
    static let program = "/usr/sbin/nginx"
    let directory: ScratchDirectory
    let port: UInt16
    let isCombined: Bool

    /// Starts it with a credential in place.
    ///
    /// - Parameters:
    ///   - credential: what it serves first.
    ///   - isCombined: whether certificate and key are one file.
    /// - Throws: when NGINX is not installed: this is a prerequisite, not a reason to skip.
    init(serving credential: TestCredential, isCombined: Bool = false) async throws {
        guard FileManager.default.isExecutableFile(atPath: PrivateNGINX.program) else {
            throw HostileConnector.Failure("\(PrivateNGINX.program) is missing: apt-get install nginx-light")
        }
        self.isCombined = isCombined
        directory = try ScratchDirectory()
        port = try Tool.freePort()
        try directory.makeDirectory("tls")
        let chain = try Data(contentsOf: URL(fileURLWithPath: credential.fullchainPath))
        let key = try Data(contentsOf: URL(fileURLWithPath: credential.keyPath))
        if isCombined {
            try directory.write(chain + key, to: "tls/both.pem", mode: 0o600)
        } else {
            try directory.write(chain, to: "tls/www.crt", mode: 0o644)
            try directory.write(key, to: "tls/www.key", mode: 0o600)
        }
        try writeConfiguration()
        try #require(try await run("-t") == 0)
        try #require(try await run() == 0)
        // The command ends before the daemon that it leaves behind has noted its number and started its worker.
        try await waitForWorker()
    }

    deinit {
        guard let master = master else { return }
        kill(master, SIGTERM)
        // The directory goes away with it.
        for _ in 0..<500 where ProcessList.isRunning(master) { usleep(10_000) }
    }

    var certificate: String { directory.file(isCombined ? "tls/both.pem" : "tls/www.crt") }
    var key: String { directory.file(isCombined ? "tls/both.pem" : "tls/www.key") }
    var configuration: String { directory.file("nginx.conf") }
    var address: String { "127.0.0.1:\(port)" }

    /// The command line of this instance, as a YAML list without brackets.
    var words: String { "\(PrivateNGINX.program), -p, \(directory.path), -c, \(configuration)" }

    /// Writes the configuration.
    ///
    /// - Parameter extra: a directive in front of the server's, for example one that is wrong.
    /// - Throws: when it cannot be written.
    func writeConfiguration(extra: String = "") throws {
        try directory.write(
            """
            pid \(directory.file("nginx.pid"));
            error_log \(directory.file("error.log"));
            worker_processes 1;
            events { worker_connections 32; }
            http {
              access_log off;
              client_body_temp_path \(directory.file("body"));
              proxy_temp_path \(directory.file("proxy"));
              fastcgi_temp_path \(directory.file("fastcgi"));
              uwsgi_temp_path \(directory.file("uwsgi"));
              scgi_temp_path \(directory.file("scgi"));
              \(extra)
              server {
                listen \(address) ssl;
                ssl_certificate \(certificate);
                ssl_certificate_key \(key);
                return 204;
              }
            }
            """, to: "nginx.conf")
    }

    /// The master's number.
    var master: Int32? {
        let text = try? String(contentsOfFile: directory.file("nginx.pid"), encoding: .utf8)
        return text.flatMap { Int32($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
    }

    /// The workers, which a reload replaces.
    var workers: [Int32] { master.map { ProcessList.children(of: $0).sorted() } ?? [] }

    /// Waits until there is one worker, and for at most two minutes.
    ///
    /// - Parameter before: those that a reload replaces; by default none is.
    /// - Throws: when it does not come to that.
    func waitForWorker(insteadOf before: [Int32] = []) async throws {
        func isReady(_ workers: [Int32]) -> Bool { workers.count == 1 && workers.allSatisfy { !before.contains($0) } }
        for _ in 0..<12_000 where !isReady(workers) { try await Task.sleep(for: .milliseconds(10)) }
        let found = workers
        try #require(isReady(found), "\(found), before \(before)")
    }

    /// What a client sees, as the connector's host looks at it.
    func served() async throws -> String {
        let port = port
        return try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(
                    with: Result {
                        try TLSProbe.run(
                            host: "127.0.0.1", port: port, serverName: nil, deadline: .after(milliseconds: 20_000)
                        ).fingerprint
                    })
            }
        }
    }

    private func run(_ words: String...) async throws -> Int32 {
        let all = [PrivateNGINX.program, "-p", directory.path, "-c", configuration] + words
        return await (try RunningCommand(PrivateNGINX.program, all, home: directory.path, leavesChildren: true))
            .outcome().code
    }
}
