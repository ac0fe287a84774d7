import TrstctlBroker
import TrstctlPolicy
import TrstctlWire

extension Wire.Deployment {
    /// Everything public about one credential for one target; secrets by name only.
    init(_ credential: Credential, target: Target) {
        self.init(
            target: target.name.text, fingerprint: credential.fingerprint, certificate: credential.certificatePEM,
            chain: credential.chainPEM, names: credential.names, notBefore: credential.notBefore,
            notAfter: credential.notAfter, secretNames: ["key", "certificate", "chain", "fullchain"])
    }
}

extension SecretSource {
    /// The secrets of one deployment, as SecretReferences name them.
    init(_ credential: Credential) {
        self.init([
            (name: "key", bytes: credential.keyPEM), (name: "certificate", bytes: credential.certificatePEM),
            (name: "chain", bytes: credential.chainPEM), (name: "fullchain", bytes: credential.fullchainPEM),
        ])
    }
}
