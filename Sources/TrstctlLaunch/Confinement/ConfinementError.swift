import TrstctlPolicy
package import TrstctlProcess
package import TrstctlSystem

/// A connector that cannot be confined as demanded, and therefore does not start.
package struct ConfinementError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What stands in the way.
    package enum Code: Equatable, Sendable {
        /// There is no ruleset for this kind of executable.
        case unsupportedKind(ExecutableKind)
        /// The dynamic linker that the executable names is not one that only root may change.
        case untrustedInterpreter(Bytes)
        /// A directory of libraries that is none, or that others than root and the caller can change.
        case untrustedLibrary(Bytes)
        /// The layer cannot be applied here, for this reason, and what can be done about it.
        case layer(Layer, String, wayOut: String)
        /// The host ran out of something before it came to the layers.
        case preparation(SystemError)
        /// Every layer was applied, or none had to be, and the start failed all the same.
        case start(SpawnError)

        /// The stable word for reports and the audit log.
        package var word: String {
            switch self {
            case .unsupportedKind(.script): "script"
            case .unsupportedKind: "executable-format"
            case .untrustedInterpreter: "untrusted-linker"
            case .untrustedLibrary: "untrusted-library"
            case .layer: "layer-missing"
            case .preparation: "no-resources"
            case .start: "spawn"
            }
        }
    }

    package let code: Code

    init(_ code: Code) {
        self.code = code
    }

    package var description: String {
        switch code {
        case .unsupportedKind(.script):
            "a script has no interpreter that was verified; next: name it in the manifest, under script:"
        case .unsupportedKind(let kind): "cannot run: \(kind); next: install the build for this machine"
        case .untrustedInterpreter(let path):
            "the dynamic linker \(String(decoding: path.array, as: UTF8.self).debugDescription) does not belong to root, "
                + "or others may write to it; next: build the connector as a static executable"
        case .untrustedLibrary(let path):
            "the directory of libraries \(printable(path)) is not there, or others than root and you may write to it; "
                + "next: chmod go-w, or correct libraries: in the manifest"
        case .layer(let layer, let reason, let wayOut):
            "the sandbox layer \(layer) cannot be applied: \(reason); the connector was not started; next: \(wayOut), "
                + "or set `confinement: best-effort` for this connector to run it without; "
                + "see what this machine offers with: " + NextCommand.trstctl("doctor")
        case .preparation(let error): "the sandbox cannot be prepared: \(error)"
        case .start(let error): "\(error)"
        }
    }
}
