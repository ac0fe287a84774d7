import Glibc
import Testing
import TrstctlSystem
import TrstctlWire

@testable import TrstctlConnector

/// The host's end of a connection, frame by frame, without any cleverness: it can also send what no host may send.
final class RawHost: @unchecked Sendable {
    enum Failure: Error { case closed, timeout, unexpected(String) }

    let descriptor: Int32
    private var decoder = FrameDecoder(maximumFrameBytes: 4 << 20)
    private var nextID: UInt32 = 1
    private var isOpen = true
    /// What is kept alive with the connection.
    var peer: LaunchedConnector?

    /// - Parameter descriptor: a connected socket; this value closes it.
    init(_ descriptor: Int32) {
        self.descriptor = descriptor
        // Nothing here waits for ever; a connector that does not answer is a failure.
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close() }

    func close() {
        guard isOpen else { return }
        isOpen = false
        Glibc.close(descriptor)
    }

    func send(raw bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Failure.closed }
            sent += count
        }
    }

    func send(_ frame: Wire.Frame) throws { try send(raw: frame.encoded().array) }

    /// Sends a call.
    ///
    /// - Returns: its id.
    @discardableResult
    func start(
        _ method: Wire.Call.Method?, scope: Bytes = "0123456789abcdef", timeout: UInt32 = 0
    ) throws -> UInt32 {
        defer { nextID += 1 }
        let call = Wire.Call(timeoutMilliseconds: timeout, scopeToken: scope, method: method)
        try send(Wire.Frame(id: nextID, kind: .call(call)))
        return nextID
    }

    /// Sends several calls in one write, so that the peer cannot have acted on the first before the last is there.
    ///
    /// - Returns: their ids.
    func start(together methods: [Wire.Call.Method]) throws -> [UInt32] {
        var bytes: [UInt8] = []
        var ids: [UInt32] = []
        for method in methods {
            let call = Wire.Call(scopeToken: "0123456789abcdef", method: method)
            bytes += Wire.Frame(id: nextID, kind: .call(call)).encoded().array
            ids.append(nextID)
            nextID += 1
        }
        try send(raw: bytes)
        return ids
    }

    func receive() throws -> Wire.Frame {
        while true {
            if let next = try decoder.next() { return next.frame }
            let descriptor = descriptor
            let count = decoder.withFreeSpace { recv(descriptor, $0.baseAddress, $0.count, 0) }
            if count == 0 { throw Failure.closed }
            if count < 0 { throw errno == ECONNRESET ? Failure.closed : Failure.timeout }
        }
    }

    func receiveReply(_ id: UInt32) throws -> Wire.Reply {
        let frame = try receive()
        guard frame.id == id, case .reply(let reply) = frame.kind else { throw Failure.unexpected("\(frame)") }
        return reply
    }

    /// The next call of the connector, and its frame's id; Log and Progress are answered on the way.
    func receiveCall() throws -> (id: UInt32, call: Wire.Call) {
        while true {
            let frame = try receive()
            guard case .call(let call) = frame.kind else { throw Failure.unexpected("\(frame)") }
            switch call.method {
            case .log: try reply(frame.id, .log(Wire.LogResponse()))
            case .progress: try reply(frame.id, .progress(Wire.ProgressResponse()))
            default: return (frame.id, call)
            }
        }
    }

    func reply(_ id: UInt32, _ result: Wire.Reply.Result) throws {
        try send(Wire.Frame(id: id, kind: .reply(Wire.Reply(status: Wire.Status(), result: result))))
    }

    func reply(_ id: UInt32, _ status: Wire.Status) throws {
        try send(Wire.Frame(id: id, kind: .reply(Wire.Reply(status: status))))
    }

    /// Makes a call that needs nothing from us meanwhile.
    func call(_ method: Wire.Call.Method?) throws -> Wire.Reply { try receiveReply(try start(method)) }

    @discardableResult
    func hello(
        _ versions: [UInt32] = [1], limits: Wire.Limits? = nil, logLevel: Wire.LogRequest.Level = .debug
    ) throws -> Wire.HelloResponse {
        let request = Wire.HelloRequest(protocolVersions: versions, limits: limits, logLevel: logLevel)
        guard case .hello(let response) = try call(.hello(request)).result else { throw Failure.unexpected("Hello") }
        return response
    }

    @discardableResult
    func configure(
        _ target: String = "edge", _ config: [String: ConfigurationValue] = [:], probe: String? = nil,
        secrets: [String] = []
    ) throws -> Wire.Reply {
        try call(
            .configure(
                Wire.ConfigureRequest(
                    target: target,
                    config: config.sorted { $0.key < $1.key }.map {
                        Wire.ConfigEntry(name: $0.key, value: $0.value.message)
                    },
                    secretNames: secrets, probe: probe.map { Wire.ProbeAddress(address: $0, serverName: "www") })))
    }

    /// True when the connector has closed its end.
    var isEnded: Bool {
        do {
            _ = try receive()
            return false
        } catch Failure.closed {
            return true
        } catch {
            return false
        }
    }
}

extension Wire.Deployment {
    static let fingerprint = String(repeating: "ab", count: 32)

    static func sample(_ target: String = "edge", fingerprint: String = fingerprint) -> Wire.Deployment {
        Wire.Deployment(
            target: target, fingerprint: fingerprint, certificate: "LEAF\n", chain: "ISSUER", names: ["www.example"],
            notBefore: 1, notAfter: 2, secretNames: ["key", "certificate", "chain", "fullchain"])
    }
}

extension Wire.Call.Method {
    static func apply(_ target: String, recording: Bool = false) -> Wire.Call.Method {
        .apply(Wire.ApplyRequest(deployment: .sample(target), recording: recording))
    }
}
