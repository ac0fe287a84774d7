import TrstctlLaunch
import TrstctlSystem

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
            } + [Host.lockedMemory, Host.wipedMemory],
            allowsStrict: offer.allowsStrict)
    }

    /// What keys and other secrets are kept in.
    private static var lockedMemory: DoctorReport.Line {
        let limit = SecretMemory.limit.map { "at most \($0 / 1024) KiB (RLIMIT_MEMLOCK)" } ?? "without a limit"
        let canLock = SecretMemory.canLock
        return DoctorReport.Line(
            name: "locked-memory", isAvailable: canLock, finding: canLock ? "works, \(limit)" : "mlock fails, \(limit)",
            consequence: canLock
                ? "private keys and secrets are not swapped out; what the limit does not cover could be"
                : "keys are wiped and left out of core dumps, but could be swapped out; to change that: ulimit -l 8192, "
                    + "or LimitMEMLOCK=8M in the unit")
    }

    private static var wipedMemory: DoctorReport.Line {
        let isWiped = HostProcess.wipesOpenSSL
        return DoctorReport.Line(
            name: "wiped-cryptography", isAvailable: isWiped,
            finding: isWiped
                ? "OpenSSL's memory is overwritten when it is freed" : "OpenSSL was in use before the host",
            consequence: isWiped
                ? "no part of a key stays behind in it"
                : "only what OpenSSL itself takes for secret is overwritten; start the host before you use OpenSSL")
    }
}
