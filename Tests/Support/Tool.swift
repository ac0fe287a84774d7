package import Foundation
import Glibc
package import TrstctlSystem

/// Programs of others that tests start, installed by `scripts/setup --test`.
package enum Tool {
    /// Whether continuous integration runs the tests: there, what is missing is a failure.
    package static var isCI: Bool { ProcessInfo.processInfo.environment["CI"] == "true" }

    /// The program's path, also where only root looks.
    package static func path(_ name: String) -> String? {
        let found = (getenv("PATH").map { String(cString: $0) } ?? "").split(separator: ":").map(String.init)
        return (found + ["/usr/sbin", "/sbin", "/usr/local/sbin"]).map { "\($0)/\(name)" }.first {
            access($0, X_OK) == 0
        }
    }

    /// Whether a test that needs the program is run: where it is there, and in CI, where the test then fails without it.
    package static func isExpected(_ name: String) -> Bool { isCI || path(name) != nil }

    /// A loopback port that was free a moment ago; nobody else takes it in the moment between.
    ///
    /// - Throws: what socket(2), bind(2) or getsockname(2) say.
    package static func freePort() throws(SystemError) -> UInt16 {
        let socket = OwnedDescriptor(
            try retryingInterrupts("socket") {
                Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            })
        let number = socket.raw
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        var address = loopback(port: 0)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(number, $0, size) == 0 ? getsockname(number, $0, &size) : -1
            }
        }
        guard result == 0 else { throw SystemError.last("bind") }
        return UInt16(bigEndian: address.sin_port)
    }

    /// Waits until a server that says nothing accepts connections on a loopback port.
    ///
    /// - Throws: when it ends instead.
    package static func waitUntilListening(_ port: UInt16, _ server: Process) throws {
        try waitUntilListening(port, server.executableURL?.path ?? "it", isRunning: server.isRunning, said: "")
    }

    /// Waits until a server accepts connections on a loopback port.
    ///
    /// - Parameters:
    ///   - port: where it will listen.
    ///   - name: what an error calls it.
    ///   - isRunning: whether there is any hope.
    ///   - said: what it printed, for the error.
    /// - Throws: when it ends instead.
    package static func waitUntilListening(
        _ port: UInt16, _ name: String, isRunning: @autoclosure () -> Bool, said: @autoclosure () -> String
    ) throws {
        while isRunning() {
            let socket = OwnedDescriptor(
                try retryingInterrupts("socket") {
                    Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
                })
            let number = socket.raw
            let address = loopback(port: port)
            let result = withUnsafePointer(to: address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(number, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            if result == 0 { return }
            sched_yield()
        }
        throw TestPKI.Failure(description: "\(name) ended before it listened: \(said())")
    }

    private static func loopback(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }
}
