import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

/// What TLS options refer to, in memory.
extension BrokerScope {
    func tlsSettings(_ options: Wire.TlsOptions, _ sent: inout SentSecrets) throws(EffectError) -> TLSSettings {
        var settings = TLSSettings()
        if !options.authoritiesPath.isEmpty { settings.authorities = try authorities(options.authoritiesPath) }
        if !options.publicKeyPin.isEmpty { settings.publicKeyPin = try pin(options.publicKeyPin) }
        if !options.serverName.isEmpty {
            do throws(GrammarError) {
                settings.serverName = try DNSName(options.serverName)
            } catch {
                throw EffectError(.invalid, object: "tls.server_name", "tls.server_name \(error)")
            }
        }
        guard options.clientCertificateName.isEmpty == options.clientKeyName.isEmpty else {
            throw EffectError(
                .invalid, object: "tls.client_key_name", "a client certificate and its key are named together")
        }
        if !options.clientKeyName.isEmpty {
            var ignored = SentSecrets()
            // The certificate is shown to the server anyway; only the key must not come back.
            settings.clientCertificate = try secret(options.clientCertificateName, &ignored)
            settings.clientKey = try secret(options.clientKeyName, &sent)
        }
        return settings
    }

    private func authorities(_ path: Bytes) throws(EffectError) -> Bytes {
        let file: AbsolutePath
        do throws(GrammarError) {
            file = try AbsolutePath(path)
        } catch {
            throw EffectError(.invalidPath, object: error.found, "tls.authorities_path \(error)")
        }
        let content = try recorded("ReadFile", file.description) { record throws(EffectError) -> Bytes in
            guard case .file(let ticket) = try decide(.readFile(file), &record),
                case .readFile(let response) = try readFile(ticket, limit: 1 << 20).result
            else { throw EffectError(.system, object: file.description, "the ticket is for another operation") }
            record.bytes = response.content.count
            return response.content
        }
        guard !content.isEmpty else {
            throw EffectError(.invalid, object: file.description, "\(file) holds no PEM certificate")
        }
        return content
    }

    private func pin(_ text: String) throws(EffectError) -> [UInt8] {
        guard let digest = SHA256Digest(hex: text) else {
            throw EffectError(
                .invalid, object: "tls.public_key_pin", "tls.public_key_pin is not 64 lower-case hexadecimal digits",
                fix: "openssl x509 -in CERTIFICATE -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum")
        }
        return digest.bytes
    }

    /// Decides about a peer that the host itself wants to reach for a call.
    func dialTicket(_ operation: Operation, _ record: inout EffectRecord) throws(EffectError) -> DialTicket {
        guard case .dial(let ticket) = try decide(operation, &record) else {
            throw EffectError(.system, object: operation.object, "the ticket is for another operation")
        }
        return ticket
    }
}
