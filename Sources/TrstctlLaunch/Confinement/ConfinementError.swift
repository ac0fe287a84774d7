package import TrstctlSystem

/// A connector that cannot be confined, and therefore does not start.
package struct ConfinementError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What stands in the way.
    package enum Code: Equatable, Sendable {
        /// There is no ruleset for this kind of executable.
        case unsupportedKind(ExecutableKind)
        /// The dynamic linker that the executable names is not one that only root may change.
        case untrustedInterpreter(Bytes)
        /// The kernel does not apply this layer.
        case layer(String, SystemError)
    }

    package let code: Code

    init(_ code: Code) {
        self.code = code
    }

    package var description: String {
        switch code {
        case .unsupportedKind(.script):
            "a script cannot be confined: its digest covers neither its interpreter nor what it imports; "
                + "next: build the connector as a static executable"
        case .unsupportedKind(let kind): "cannot run: \(kind); next: install the build for this machine"
        case .untrustedInterpreter(let path):
            "the dynamic linker \(String(decoding: path.array, as: UTF8.self).debugDescription) does not belong to root, "
                + "or others may write to it; next: build the connector as a static executable"
        case .layer(let name, let error):
            "the sandbox layer \(name) cannot be applied: \(error); the connector was not started; "
                + "next: use a kernel with \(name), see `uname -r`"
        }
    }
}
