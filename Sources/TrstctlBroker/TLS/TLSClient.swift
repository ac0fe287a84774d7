import COpenSSL
import Glibc
import TrstctlCrypto
import TrstctlSystem

/// The TLS side of a probe: OpenSSL over two memory buffers, so that it never touches the socket.
///
/// That way each wait is ours (deadline), each byte is counted (bound), and no write can raise SIGPIPE.
final class TLSClient {
    /// The most bytes of a handshake: OpenSSL takes at most 100 KiB of certificates.
    static let byteLimit = 256 << 10

    private let context: OpaquePointer
    private let connection: OpaquePointer
    /// What came from the network, for OpenSSL to read; owned by `connection`, like `outgoing`.
    private let incoming: OpaquePointer
    private let outgoing: OpaquePointer
    private let address: String

    /// Prepares a handshake that accepts every certificate.
    ///
    /// - Parameters:
    ///   - serverName: a DNS name for SNI (RFC 6066, 3), or nil for none.
    ///   - verifiedName: the name or address that the system's opinion is about.
    ///   - address: for error texts.
    /// - Throws: `ProbeError` when OpenSSL fails.
    init(serverName: String?, verifiedName: String, address: String) throws(ProbeError) {
        OpenSSLError.clear()
        guard let context = SSL_CTX_new(TLS_client_method()) else { throw TLSClient.local("SSL_CTX_new", address) }
        guard trstctl_SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1,
            let connection = SSL_new(context)
        else {
            SSL_CTX_free(context)
            throw TLSClient.local("SSL_new", address)
        }
        guard let incoming = BIO_new(BIO_s_mem()) else {
            SSL_free(connection)
            SSL_CTX_free(context)
            throw TLSClient.local("BIO_new", address)
        }
        guard let outgoing = BIO_new(BIO_s_mem()) else {
            BIO_free_all(incoming)
            SSL_free(connection)
            SSL_CTX_free(context)
            throw TLSClient.local("BIO_new", address)
        }
        SSL_set_bio(connection, incoming, outgoing)
        self.context = context
        self.connection = connection
        self.incoming = incoming
        self.outgoing = outgoing
        self.address = address
        // No certificates of the system: then its opinion is that it knows no issuer.
        _ = SSL_CTX_set_default_verify_paths(context)
        SSL_set_verify(connection, SSL_VERIFY_NONE, nil)
        let parameters = SSL_get0_param(connection)
        if X509_VERIFY_PARAM_set1_ip_asc(parameters, verifiedName) != 1 {
            X509_VERIFY_PARAM_set1_host(parameters, verifiedName, 0)
        }
        OpenSSLError.clear()
        if let serverName, trstctl_SSL_set_tlsext_host_name(connection, serverName) != 1 {
            throw TLSClient.local("SNI", address)
        }
    }

    deinit {
        SSL_free(connection)
        SSL_CTX_free(context)
    }

    /// Makes the handshake and says goodbye without waiting for an answer.
    func handshake(over socket: borrowing ProbeSocket) throws(ProbeError) {
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        var received = 0
        while true {
            OpenSSLError.clear()
            let result = SSL_connect(connection)
            let state = SSL_get_error(connection, result)
            if result == 1 {
                try pass { bytes throws(ProbeError) in try socket.send(bytes) }
                SSL_shutdown(connection)
                pass { socket.offer($0) }
                OpenSSLError.clear()
                return
            }
            guard state == SSL_ERROR_WANT_READ else {
                let error = OpenSSLError.take("SSL_connect")
                // The alert that tells the peer why.
                pass { socket.offer($0) }
                throw ProbeError(.handshake, .handshake, address, TLSClient.advice(error))
            }
            try pass { bytes throws(ProbeError) in try socket.send(bytes) }
            let got = try socket.receive(into: &buffer)
            guard got > 0 else {
                throw ProbeError(.closed, .handshake, address, "the peer closed the connection during the handshake")
            }
            if received == 0 { try checkFirst(buffer.prefix(got)) }
            received += got
            guard received <= TLSClient.byteLimit else {
                throw ProbeError(
                    .tooMuch, .handshake, address,
                    "more than \(TLSClient.byteLimit) bytes without an end of the handshake")
            }
            guard BIO_write(incoming, buffer, Int32(got)) == Int32(got) else {
                throw TLSClient.local("BIO_write", address)
            }
        }
    }

    /// What the peer showed; call it after a handshake.
    func servedChain() throws(ProbeError) -> ServedChain {
        let stack = SSL_get_peer_cert_chain(connection)
        var certificates: [Certificate] = []
        // A missing stack counts as -1.
        for index in 0..<max(0, trstctl_X509_stack_count(stack)) {
            do throws(CertificateError) {
                certificates.append(try Certificate(der: TLSClient.encoding(trstctl_X509_stack_at(stack, index))))
            } catch {
                throw ProbeError(.handshake, .handshake, address, "certificate \(index + 1): \(error)")
            }
        }
        guard !certificates.isEmpty else {
            throw ProbeError(.handshake, .handshake, address, "the peer showed no certificate")
        }
        let verdict = SSL_get_verify_result(connection)
        return ServedChain(
            address: address, certificates: certificates,
            protocolVersion: String(cString: SSL_get_version(connection)),
            systemTrust: verdict == X509_V_OK
                ? .trusted : .untrusted(String(cString: X509_verify_cert_error_string(verdict))))
    }

    /// Hands what OpenSSL wants to send to `send`, once.
    private func pass<Failure: Error>(_ send: (UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) {
        var start: UnsafeMutablePointer<CChar>?
        let count = trstctl_BIO_get_mem_data(outgoing, &start)
        guard count > 0, let start else { return }
        try send(UnsafeRawBufferPointer(start: start, count: count))
        trstctl_BIO_reset(outgoing)
    }

    /// A TLS record begins with its type, 22 (handshake) or 21 (alert), and version 3.x (RFC 8446, 5.1).
    private func checkFirst(_ bytes: ArraySlice<UInt8>) throws(ProbeError) {
        guard let type = bytes.first else { return }
        let version = bytes.dropFirst().first ?? 3
        guard (type == 22 || type == 21) && version == 3 else {
            let text = PrintableText.of(bytes, limit: 40)
            throw ProbeError(.notTLS, .handshake, address, "what answers does not speak TLS; it says `\(text)`")
        }
    }

    private static func encoding(_ certificate: OpaquePointer?) -> Bytes {
        var start: UnsafeMutablePointer<UInt8>?
        let count = i2d_X509(certificate, &start)
        defer { CRYPTO_free(start, #file, #line) }
        guard count > 0, let start else { return Bytes() }
        return Bytes(copying: UnsafeRawBufferPointer(start: start, count: Int(count)))
    }

    private static func advice(_ error: OpenSSLError) -> String {
        let text = error.reasons.isEmpty ? "the handshake failed" : error.reasons.joined(separator: ", ")
        // OpenSSL adds 1000 to the alert's number (ssl(7)): 40 is handshake_failure, 116 certificate_required.
        return error.reason == 1116 || error.reason == 1040
            ? "\(text); the server may want a client certificate" : text
    }

    private static func local(_ call: String, _ address: String) -> ProbeError {
        ProbeError(.local, .handshake, address, OpenSSLError.take(call).description)
    }
}
