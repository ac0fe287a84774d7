import Foundation
import Glibc
import TrstctlSystem
import TrstctlTestSupport

@testable import TrstctlBroker

extension Tool {
    /// Waits until a server that says nothing accepts connections on a loopback port.
    static func waitUntilListening(_ port: UInt16, _ server: Process) throws {
        guard let place = PeerAddress(bytes: [127, 0, 0, 1], port: port) else { return }
        while server.isRunning {
            if let raw = try? ProbeSocket.connect(to: place, connected: .never, deadline: .never).release() {
                close(raw)
                return
            }
            sched_yield()
        }
        throw TestPKI.Failure(
            description: "\(server.executableURL?.path ?? "it") ended with \(server.terminationStatus)")
    }
}
