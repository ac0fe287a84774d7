import TrstctlBroker
import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

extension Wire.Deployment {
    /// Everything public about one credential for one target; secrets by name only.
    ///
    /// - Parameters:
    ///   - credential: what is deployed.
    ///   - target: where.
    ///   - declaration: whose secret fields are named.
    ///   - givesKey: whether the key itself goes along, if the connector asks for it and may have it.
    init(_ credential: Credential, target: Target, _ declaration: Declaration, givesKey: Bool = false) {
        self.init(
            target: target.name.text, fingerprint: credential.fingerprint, certificate: credential.certificatePEM,
            chain: credential.chainPEM, names: credential.names, notBefore: credential.notBefore,
            notAfter: credential.notAfter,
            secretNames: ConfigResolution.reservedNames + declaration.secrets.map(\.name),
            privateKey: givesKey && declaration.needsKey ? credential.keyPEM : Bytes())
    }
}

extension SecretSource {
    /// The secrets of one deployment, as SecretReferences name them: the credential's, and the target's secret fields.
    init(_ credential: Credential, _ declaration: Declaration) {
        self.init(
            [
                (name: "key", bytes: credential.keyPEM), (name: "certificate", bytes: credential.certificatePEM),
                (name: "chain", bytes: credential.chainPEM), (name: "fullchain", bytes: credential.fullchainPEM),
            ], fields: declaration.secrets, keyForms: credential.keyForms)
    }
}
