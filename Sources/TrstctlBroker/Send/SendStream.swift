import CTrstctlCurl
import Glibc
import TrstctlPolicy
import TrstctlSystem

/// A connection that bytes are sent over: nothing of it blocks.
protocol SendStream {
    /// To be polled.
    var pollable: Int32 { get }

    /// Sends what fits; 0 when nothing does now.
    func send(_ bytes: UnsafeRawBufferPointer) throws(EffectError) -> Int

    /// Takes what is there; nil when nothing is now, 0 at the end.
    func receive(into buffer: UnsafeMutableRawBufferPointer) throws(EffectError) -> Int?

    /// Says that nothing more will be sent, where that can be said.
    func finish()
}

/// A connected socket.
final class SocketStream: SendStream {
    private let descriptor: OwnedDescriptor

    /// Takes over a connected, non-blocking socket.
    init(_ number: Int32) { descriptor = OwnedDescriptor(number) }

    var pollable: Int32 { descriptor.raw }

    func send(_ bytes: UnsafeRawBufferPointer) throws(EffectError) -> Int {
        let sent = Glibc.send(descriptor.raw, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
        if sent >= 0 { return sent }
        guard errno == EAGAIN || errno == EINTR else { throw .ended() }
        return 0
    }

    func receive(into buffer: UnsafeMutableRawBufferPointer) throws(EffectError) -> Int? {
        let got = recv(descriptor.raw, buffer.baseAddress, buffer.count, 0)
        if got >= 0 { return got }
        guard errno == EAGAIN || errno == EINTR else { throw .ended() }
        return nil
    }

    func finish() { shutdown(descriptor.raw, Int32(SHUT_WR)) }
}

/// A TLS connection that libcurl made and verified.
final class CurlStream: SendStream {
    private let curl: CurlHandle
    let pollable: Int32

    /// Makes the TLS handshake.
    ///
    /// - Parameters:
    ///   - peer: checked addresses; the first that accepts is taken.
    ///   - tls: what differs from verifying the host against the system's authorities.
    ///   - patience: for connecting and shaking hands.
    /// - Throws: why there is no verified connection.
    init(_ peer: CheckedPeer, _ tls: TLSSettings, _ patience: Patience) throws(EffectError) {
        let connection = try peer.connect(patience).release()
        curl = try CurlHandle(CurlContext(HTTPReply(bodyLimit: 1, isHead: false), connection: connection))
        try curl.point(isSecure: true, peer, tls, target: "/")
        try curl.set(trstctl_CURLOPT_CONNECT_ONLY, 1)
        // The protocol over this connection is not HTTP, so none is offered in the handshake.
        try curl.set(trstctl_CURLOPT_SSL_ENABLE_ALPN, 0)
        let result = try curl.run(peer.address.text, patience) { false }
        guard result == trstctl_CURLE_OK else { throw EffectError(result, curl, peer.address, peer.address.text) }
        var socket: Int32 = -1
        try curl.check(trstctl_curl_get_socket(curl.easy, &socket))
        pollable = socket
    }

    func send(_ bytes: UnsafeRawBufferPointer) throws(EffectError) -> Int {
        var sent = 0
        switch trstctl_curl_easy_send(curl.easy, bytes.baseAddress, bytes.count, &sent) {
        case trstctl_CURLE_OK: return sent
        case trstctl_CURLE_AGAIN: return 0
        default: throw .ended()
        }
    }

    func receive(into buffer: UnsafeMutableRawBufferPointer) throws(EffectError) -> Int? {
        var got = 0
        switch trstctl_curl_easy_recv(curl.easy, buffer.baseAddress, buffer.count, &got) {
        case trstctl_CURLE_OK: return got
        case trstctl_CURLE_AGAIN: return nil
        default: throw .ended()
        }
    }

    func finish() {}
}

extension EffectError {
    fileprivate static func ended() -> EffectError {
        EffectError(.badPeer, object: "Send", "the peer broke the connection")
    }
}
