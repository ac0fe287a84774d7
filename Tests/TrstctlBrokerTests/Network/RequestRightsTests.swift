import Foundation
import Glibc
import Testing
import TrstctlPolicy
import TrstctlSystem
import TrstctlTestSupport
import TrstctlWire

@testable import TrstctlBroker

@Suite("Requests belong to a scope and end with it", .ownThreads)
struct RequestRightsTests {
    @Test(
        "A safe method asks in every scope; others are denied, recorded or performed",
        arguments: ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "get", "PROPFIND"])
    func rights(method: String) throws {
        let server = try ScriptedServer(RequestFixture.fine)
        let url = "http://127.0.0.1:\(server.port)/a?secret"
        let isSafe = ["GET", "HEAD", "OPTIONS"].contains(method)
        let dial = ["127.0.0.1:\(server.port)"]
        let reading = try RequestFixture.scope(.readOnly, dial: dial)
        #expect(reading.ask(method, url).code == (isSafe ? .ok : .permissionDenied))
        #expect(server.connections == (isSafe ? 1 : 0))
        let plan = try RequestFixture.scope(.recording, dial: dial)
        #expect(plan.ask(method, url).http?.planned == !isSafe)
        #expect(server.connections == (isSafe ? 2 : 0))
        let apply = try RequestFixture.scope(dial: dial)
        #expect(apply.ask(method, url).http?.planned == false)
        #expect(server.connections == (isSafe ? 3 : 1))
        // What a plan lists is what an apply does, without the query.
        #expect(plan.changes == apply.changes)
        let shown = "\(method) http://127.0.0.1:\(server.port)/a"
        #expect(plan.changes.map(\.object) == (isSafe ? [] : [shown]) && plan.changes.allSatisfy { $0.kind == .call })
        #expect(plan.records.map(\.object) == [shown] && apply.records.map(\.object) == [shown])
    }

    @Test func `A plan meets the same denials as the apply`() throws {
        let plan = try RequestFixture.scope(
            .recording, dial: ["api.example.test:443", "127.0.0.1:1"], names: ["api.example.test": ["10.0.0.1"]])
        #expect(plan.ask("POST", "https://elsewhere.test/").code == .permissionDenied)
        #expect(plan.ask("POST", "https://api.example.test/").code == .permissionDenied)
        let unknown = plan.ask("POST", "http://127.0.0.1:1/") {
            $0.authentication = Wire.HttpAuthentication(scheme: .bearer, secretName: "unknown")
        }
        #expect(unknown.code == .invalidArgument && plan.changes.isEmpty)
    }

    @Test func `A request that may be repeated is, and no other`() throws {
        let busy = Array("HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n".utf8)
        let fine = Array(RequestFixture.fine.utf8)
        for (method, safe, status, connections) in [
            ("GET", false, 200, 3), ("PUT", false, 200, 3), ("DELETE", false, 200, 3), ("POST", true, 200, 3),
            ("POST", false, 503, 1),
            ("PATCH", false, 503, 1),
        ] {
            let server = try ScriptedServer([busy, busy, fine])
            let scope = try RequestFixture.scope(dial: ["127.0.0.1:\(server.port)"])
            let reply = scope.ask(method, "http://127.0.0.1:\(server.port)/") { $0.retrySafe = safe }
            #expect(reply.http?.status == UInt32(status) && server.connections == connections, "\(method) \(safe)")
        }
        let server = try ScriptedServer([busy])
        let scope = try RequestFixture.scope(dial: ["127.0.0.1:\(server.port)"])
        #expect(scope.ask("GET", "http://127.0.0.1:\(server.port)/").http?.status == 503 && server.connections == 4)
        // Other statuses are answers, and a connection that broke after the request is not repeated.
        for answer in [Array("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n".utf8), nil] {
            let server = try ScriptedServer([answer])
            let scope = try RequestFixture.scope(dial: ["127.0.0.1:\(server.port)"])
            _ = scope.ask("GET", "http://127.0.0.1:\(server.port)/")
            #expect(server.connections == 1)
        }
    }

    @Test func `What a server was asked once is possibly done, although it was gone at the next attempt`() throws {
        let listener = try LoopbackListener()
        listener.serveOnce { connection in
            listener.stop()
            var buffer = [UInt8](repeating: 0, count: 4_096)
            _ = recv(connection, &buffer, buffer.count, 0)
            let answer = Array("HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n".utf8)
            _ = send(connection, answer, answer.count, Int32(MSG_NOSIGNAL))
        }
        let scope = try RequestFixture.scope(dial: ["127.0.0.1:\(listener.port)"])
        let reply = scope.ask("PUT", "http://127.0.0.1:\(listener.port)/")
        #expect(reply.code == .unavailable, "\(reply.message)")
        #expect(scope.changes.map(\.object) == ["PUT http://127.0.0.1:\(listener.port)/"])
        // And where nobody was ever reached, nothing is.
        let other = try RequestFixture.scope(dial: ["127.0.0.1:\(listener.port)"])
        #expect(other.ask("PUT", "http://127.0.0.1:\(listener.port)/").code == .unavailable && other.changes.isEmpty)
    }

    @Test func `A wait beyond the deadline is not begun, and a connection that is refused is tried again`() throws {
        let server = try ScriptedServer("HTTP/1.1 429 Slow\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n")
        let scope = try RequestFixture.scope(dial: ["127.0.0.1:\(server.port)", "127.0.0.1:1"])
        #expect(scope.ask("GET", "http://127.0.0.1:\(server.port)/").http?.status == 429 && server.connections == 1)
        let refused = scope.ask("GET", "http://127.0.0.1:1/")
        #expect(refused.code == .unavailable && refused.status?.retryable == true)
    }

    @Test func `The end of the scope ends a request that waits, at once`() throws {
        let silent = try ScriptedServer([Array("HTTP/1.1 200 OK\r\n".utf8)], thenCloses: false)
        let scope = try RequestFixture.scope(dial: ["127.0.0.1:\(silent.port)"])
        let code = Box<Wire.Status.Code?>(nil)
        let thread = try TestThread {
            code.value = scope.ask("POST", "http://127.0.0.1:\(silent.port)/") { $0.timeoutMilliseconds = 600_000 }.code
        }
        while silent.connections == 0 { sched_yield() }
        _ = scope.close(commit: false)
        thread.join()
        #expect(code.value == .failedPrecondition)
        #expect(scope.ask("GET", "http://127.0.0.1:\(silent.port)/").code == .failedPrecondition)
    }

    @Test func `A cancelled wait before a repetition ends at once`() throws {
        let busy = try ScriptedServer("HTTP/1.1 503 Busy\r\nRetry-After: 300\r\nContent-Length: 0\r\n\r\n")
        let scope = try RequestFixture.scope(dial: ["127.0.0.1:\(busy.port)"])
        let interruption = Interruption()
        let thread = try TestThread {
            while busy.connections == 0 { sched_yield() }
            interruption.raise()
        }
        let request = Wire.HttpRequest(
            method: "GET", url: "http://127.0.0.1:\(busy.port)/", timeoutMilliseconds: 600_000)
        #expect(scope.perform(.request(request), interruption: interruption).code == .failedPrecondition)
        thread.join()
    }
}
