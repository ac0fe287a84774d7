import CTrstctlSystem
import Foundation
import Glibc
import Synchronization
import TrstctlSystem
import TrstctlTestSupport

@testable import TrstctlBroker

/// A server that answers each connection with given bytes, whatever is asked, and counts connections.
final class ScriptedServer: Sendable {
    let port: UInt16
    private let listener: LoopbackListener
    private let seen = Mutex<[[UInt8]]>([])

    /// Listens.
    ///
    /// - Parameters:
    ///   - answers: one for each connection, the last one for all that follow; nil closes without a word.
    ///   - thenCloses: whether it closes after the answer, or waits for the other side to do so.
    /// - Throws: when there is no socket.
    init(_ answers: [[UInt8]?], thenCloses: Bool = true) throws {
        let listener = try LoopbackListener()
        self.listener = listener
        port = listener.port
        Thread.detachNewThread { [weak self] in
            var number = 0
            while true {
                let connection = listener.accept()
                guard connection.raw >= 0 else { return }
                let answer = answers.isEmpty ? nil : answers[min(number, answers.count - 1)]
                number += 1
                guard let self else { return }
                self.serve(connection.raw, answer, thenCloses)
            }
        }
    }

    convenience init(_ answer: String, thenCloses: Bool = true) throws {
        try self.init([Array(answer.utf8)], thenCloses: thenCloses)
    }

    /// Its thread waits for a connection still.
    deinit { listener.stop() }

    private func serve(_ connection: Int32, _ answer: [UInt8]?, _ closes: Bool) {
        var request: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while !request.contains("\r\n\r\n".utf8) {
            let got = recv(connection, &buffer, buffer.count, 0)
            guard got > 0 else { break }
            request += buffer.prefix(got)
        }
        seen.withLock { $0.append(request) }
        if let answer { _ = send(connection, answer, answer.count, Int32(MSG_NOSIGNAL)) }
        // Until the other side has had enough.
        while !closes, recv(connection, &buffer, buffer.count, 0) > 0 {}
    }

    /// What was asked so far, one entry a connection.
    var requests: [String] { seen.withLock { $0.map { String(decoding: $0, as: UTF8.self) } } }
    var connections: Int { seen.withLock { $0.count } }
}
