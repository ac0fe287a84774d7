import CTrstctlSystem
import Foundation
import Glibc
package import TrstctlSystem

/// A listening TCP socket on an ephemeral loopback port.
package final class LoopbackListener: Sendable {
    package let port: UInt16
    private let descriptor: OwnedDescriptor

    package init() throws {
        let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { throw SystemError.last("socket") }
        descriptor = OwnedDescriptor(number)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var count = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(number, generic, count) == 0 && listen(number, 8) == 0 && getsockname(number, generic, &count) == 0
            }
        }
        guard result else { throw SystemError.last("bind") }
        port = UInt16(bigEndian: address.sin_port)
    }

    /// The next connection, on the thread that calls; closed on exec, for a child would keep it open.
    package func accept() -> OwnedDescriptor {
        OwnedDescriptor(trstctl_accept(descriptor.raw))
    }

    /// Whether somebody is waiting to be accepted, who is then sent away.
    package func hangUp() -> Bool {
        var waiting = pollfd(fd: descriptor.raw, events: Int16(POLLIN), revents: 0)
        guard poll(&waiting, 1, 0) == 1 else { return false }
        return accept().raw >= 0
    }

    /// Refuses connections from now on.
    package func stop() { shutdown(descriptor.raw, Int32(SHUT_RDWR)) }

    /// Serves one connection on a thread of its own: waits for the first bytes, answers, and closes.
    package func serveOnce(_ body: @escaping @Sendable (Int32) -> Void) {
        Thread.detachNewThread { [self] in
            let connection = accept()
            body(connection.raw)
        }
    }
}
