/// What a connector can ask the host to do on its behalf.
package enum Capability: String, CaseIterable, Hashable, Sendable, CustomStringConvertible {
    /// Reading files and their attributes.
    case fsRead = "fs.read"
    /// Creating, replacing and removing files, and reading their attributes.
    case fsWrite = "fs.write"
    /// Connecting to a peer.
    case netDial = "net.dial"
    /// Running a program with exactly these arguments.
    case processExec = "process.exec"

    package var description: String { rawValue }
}
