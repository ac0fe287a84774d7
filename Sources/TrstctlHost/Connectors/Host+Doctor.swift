import TrstctlLaunch

/// What `trstctl doctor` says: what this kernel and this user offer, layer by layer, and what the host does with it.
package struct DoctorReport: Codable, Sendable {
    /// One layer of confinement, or something that the host relies on.
    package struct Line: Codable, Sendable {
        package var name: String
        package var isAvailable: Bool
        /// What was found.
        package var finding: String
        /// What the host does with it, or without it.
        package var consequence: String
    }

    /// Whether the host confines connectors as root or as an ordinary user.
    package var host: String
    package var lines: [Line]
    /// Whether a connector with the default `confinement: strict` can start here.
    package var allowsStrict: Bool
}

extension Host {
    /// Asks the kernel; changes nothing and starts no connector.
    package func doctor() -> DoctorReport {
        let offer = KernelOffer.probe()
        return DoctorReport(
            host: "\(offer.host)",
            lines: offer.lines.map {
                DoctorReport.Line(
                    name: $0.name, isAvailable: $0.isAvailable, finding: $0.finding, consequence: $0.consequence)
            },
            allowsStrict: offer.allowsStrict)
    }
}
