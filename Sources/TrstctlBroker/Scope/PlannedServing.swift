package import TrstctlWire

/// What a server would show once a plan is applied: the answer to a probe that follows a recorded change.
package struct PlannedServing: Hashable, Sendable {
    /// The leaf first.
    package var certificates: [Wire.ServedCertificate]
    /// For example `TLSv1.3`.
    package var protocolVersion: String

    package init(certificates: [Wire.ServedCertificate], protocolVersion: String = "TLSv1.3") {
        self.certificates = certificates
        self.protocolVersion = protocolVersion
    }
}
