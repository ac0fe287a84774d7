import Foundation
import Glibc

/// A server that others wrote, as Debian packages it, started for one test: on loopback, with a directory and a
/// certificate of its own, and, where root runs the tests, as another user.
package final class RealServer {
    package enum Kind: String, Sendable, CaseIterable {
        case exim, dovecot, slapd, mariadb

        package var program: String {
            switch self {
            case .exim: "exim4"
            case .dovecot, .slapd: rawValue
            case .mariadb: "mariadbd"
            }
        }

        /// Who runs it where root runs the tests.
        package var user: String { self == .exim ? "Debian-exim" : "nobody" }

        /// Whether a test that needs it is run: where it is installed, and in CI, where the test then fails without it.
        ///
        /// Exim's daemon is for root or its own user, so whoever else runs the tests cannot have it.
        package var isExpected: Bool { Tool.isExpected(program) && (self != .exim || geteuid() == 0) }
    }

    package let kind: Kind
    /// Where it listens, by the protocol's name: `smtp`, `imap`, `pop3`, `ldap`, `mysql`.
    package let ports: [String: UInt16]
    /// The file with its certificate, chain and key, which it reads; mode 0600, its own user's.
    package let pem: String
    /// Its configuration.
    package let configuration: String
    private let command: RunningCommand
    private let directory: ScratchDirectory

    /// Starts it and waits until it listens.
    ///
    /// - Parameters:
    ///   - kind: which one.
    ///   - credential: what it serves.
    ///   - hasTLS: whether it offers TLS at all.
    /// - Throws: when it is not installed, or does not start.
    package init(_ kind: Kind, _ credential: TestCredential, hasTLS: Bool = true) throws {
        guard let program = Tool.path(kind.program), let setpriv = Tool.path("setpriv") else {
            throw TestPKI.Failure(description: "there is no \(kind.program): scripts/setup --test")
        }
        self.kind = kind
        directory = try ScratchDirectory()
        let data = try directory.makeDirectory("data", mode: 0o700)
        let content = try [credential.fullchainPath, credential.keyPath].map {
            try Data(contentsOf: URL(fileURLWithPath: $0))
        }
        pem = try directory.write(content[0] + content[1], to: "server.pem", mode: 0o600)
        var ports: [String: UInt16] = [:]
        for name in kind.protocols {
            // What was free a moment ago may be found free again.
            repeat { ports[name] = try Tool.freePort() } while Set(ports.values).count < ports.count
        }
        self.ports = ports
        let isRoot = geteuid() == 0
        guard let account = isRoot ? getpwnam(kind.user) : getpwuid(geteuid()) else {
            throw TestPKI.Failure(description: "there is no user \(kind.user): scripts/setup --test")
        }
        let (user, group) = (account.pointee.pw_uid, account.pointee.pw_gid)
        let names = (
            String(cString: account.pointee.pw_name), getgrgid(group).map { String(cString: $0.pointee.gr_name) }
        )
        let text = kind.configuration(
            data: data, pem: hasTLS ? pem : nil, ports: ports, user: names.0, group: names.1 ?? "")
        configuration = try directory.write(text, to: "configuration")
        var words = [program] + kind.arguments(configuration, data: data, pem: hasTLS ? pem : nil, ports: ports)
        if isRoot {
            guard chown(data, user, group) == 0, chown(pem, user, group) == 0 else {
                throw TestPKI.Failure(description: "chown in \(directory.path): \(String(cString: strerror(errno)))")
            }
            words = [setpriv, "--reuid=\(user)", "--regid=\(group)", "--clear-groups"] + words
        }
        command = try RunningCommand(words[0], words, home: data)
        for port in ports.values {
            try Tool.waitUntilListening(port, "\(kind)", isRunning: command.isRunning, said: command.errors)
        }
    }

    /// Where it listens for a protocol.
    ///
    /// - Throws: when it does not speak it.
    package func port(_ name: String) throws -> UInt16 {
        guard let port = ports[name] else { throw TestPKI.Failure(description: "\(kind) does not speak \(name)") }
        return port
    }
}
