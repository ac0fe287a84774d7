import CTrstctlSystem
import Glibc
import TrstctlProcess
package import TrstctlSystem

/// What a kind of executable must be able to open in order to start.
package struct SandboxProfile: Sendable {
    /// A static executable needs nothing; a dynamic one its dynamic linker and the system's libraries.
    package enum Kind: Hashable, Sendable {
        case staticELF
        case dynamicELF(interpreter: Bytes)
    }

    package let kind: Kind

    /// Chooses the profile.
    ///
    /// - Throws: `unsupportedKind` for scripts, foreign and damaged files.
    package init(for kind: ExecutableKind) throws(ConfinementError) {
        switch kind {
        case .staticELF: self.kind = .staticELF
        case .dynamicELF(let interpreter): self.kind = .dynamicELF(interpreter: interpreter)
        case .script, .foreignELF, .brokenELF, .unknown: throw ConfinementError(.unsupportedKind(kind))
        }
    }

    /// Devices a runtime opens: random bytes (Foundation's UUID is all zeros without them), and a sink.
    private static let devices: [(path: String, access: LandlockAccess)] = [
        ("/dev/null", [.readFile, .writeFile]), ("/dev/urandom", [.readFile]),
    ]
    #if arch(x86_64)
        private static let triplet = "x86_64-linux-gnu"
    #elseif arch(arm64)
        private static let triplet = "aarch64-linux-gnu"
    #endif
    /// Where the distributions keep shared libraries; those that do not exist are left out.
    private static let libraryDirectories = ["/lib/\(triplet)", "/usr/lib/\(triplet)", "/lib64", "/usr/lib64"]

    /// Everything the profile grants, as open descriptors with rights.
    func grants() throws(ConfinementError) -> [Grant] {
        var grants: [Grant] = []
        for device in SandboxProfile.devices {
            if let grant = Grant(device.path, device.access) { grants.append(grant) }
        }
        guard case .dynamicELF(let interpreter) = kind else { return grants }
        grants.append(try SandboxProfile.linker(interpreter))
        for directory in SandboxProfile.libraryDirectories {
            if let grant = Grant(directory, [.readFile, .readDirectory, .execute]) { grants.append(grant) }
        }
        if let cache = Grant("/etc/ld.so.cache", [.readFile]) { grants.append(cache) }
        return grants
    }

    /// The dynamic linker: the executable names it, so it must be a file that only root can have put there.
    private static func linker(_ path: Bytes) throws(ConfinementError) -> Grant {
        guard let text = path.text, let grant = Grant(text, [.readFile, .execute]) else {
            throw ConfinementError(.untrustedInterpreter(path))
        }
        var status = stat()
        guard fstat(grant.descriptor.raw, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_uid == 0,
            status.st_mode & 0o022 == 0
        else { throw ConfinementError(.untrustedInterpreter(path)) }
        return grant
    }
}

/// An O_PATH descriptor with what may be done beneath it.
final class Grant: Sendable {
    let descriptor: OwnedDescriptor
    let access: LandlockAccess

    /// Nil when the path cannot be opened: what is not there cannot be granted.
    init?(_ path: String, _ access: LandlockAccess) {
        let number = open(path, Int32(TRSTCTL_O_PATH) | O_CLOEXEC)
        guard number != -1 else { return nil }
        descriptor = OwnedDescriptor(number)
        self.access = access
    }
}
