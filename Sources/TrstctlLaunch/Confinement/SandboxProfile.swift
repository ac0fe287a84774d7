import CTrstctlSystem
import Glibc
package import TrstctlPolicy
import TrstctlProcess
package import TrstctlSystem

/// What a kind of executable must be able to open in order to start.
package struct SandboxProfile: Sendable {
    /// What the kernel executes: the connector, or a script's interpreter.
    package enum Kind: Hashable, Sendable {
        /// Needs nothing.
        case staticELF
        /// Needs its dynamic linker and the system's libraries.
        case dynamicELF(interpreter: Bytes)
    }

    package let kind: Kind
    /// Whether an interpreter runs.
    package let isScript: Bool
    /// Directories that are read besides: the interpreter's own library, and what the operator named.
    private let libraries: [Bytes]

    /// Chooses the profile.
    ///
    /// - Parameters:
    ///   - executable: what will run.
    ///   - libraries: directories that the operator named, to be read beneath; a static executable does not get them.
    /// - Throws: `unsupportedKind` for foreign and damaged files.
    package init(for executable: VerifiedExecutable, libraries: [AbsolutePath] = []) throws(ConfinementError) {
        guard let interpreter = executable.interpreter else {
            try self.init(for: executable.kind, libraries: libraries)
            return
        }
        self.init(
            try SandboxProfile.kind(interpreter.kind), isScript: true,
            StandardLibrary.directories(of: interpreter.resolvedPath).map { Bytes($0) } + libraries.map(\.bytes))
    }

    /// Chooses the profile of an executable that is no script.
    ///
    /// - Throws: `unsupportedKind` for scripts, foreign and damaged files.
    package init(for kind: ExecutableKind, libraries: [AbsolutePath] = []) throws(ConfinementError) {
        let kind = try SandboxProfile.kind(kind)
        self.init(kind, isScript: false, kind == .staticELF ? [] : libraries.map(\.bytes))
    }

    private init(_ kind: Kind, isScript: Bool, _ libraries: [Bytes]) {
        self.kind = kind
        self.isScript = isScript
        self.libraries = libraries
    }

    private static func kind(_ kind: ExecutableKind) throws(ConfinementError) -> Kind {
        switch kind {
        case .staticELF: .staticELF
        case .dynamicELF(let interpreter): .dynamicELF(interpreter: interpreter)
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
    private static let systemLibraries = ["/lib/\(triplet)", "/usr/lib/\(triplet)", "/lib64", "/usr/lib64"]

    /// Everything the profile grants, as open descriptors with rights.
    ///
    /// Libraries are read and mapped; the one file that the kernel itself executes is the dynamic linker.
    func grants() throws(ConfinementError) -> [Grant] {
        var grants = SandboxProfile.devices.compactMap { Grant($0.path, $0.access) }
        if case .dynamicELF(let interpreter) = kind {
            grants.append(try SandboxProfile.linker(interpreter))
            grants += SandboxProfile.systemLibraries.compactMap { Grant($0, [.readFile, .readDirectory]) }
            if let cache = Grant("/etc/ld.so.cache", [.readFile]) { grants.append(cache) }
        }
        for library in libraries { grants.append(try SandboxProfile.library(library)) }
        return grants
    }

    /// The dynamic linker: the executable names it, so it must be a file that only root can have put there.
    private static func linker(_ path: Bytes) throws(ConfinementError) -> Grant {
        guard let text = path.text, let grant = Grant(text, [.readFile, .execute]),
            grant.belongs(to: [0], type: S_IFREG)
        else { throw ConfinementError(.untrustedInterpreter(path)) }
        return grant
    }

    private static func library(_ path: Bytes) throws(ConfinementError) -> Grant {
        guard let text = path.text, let grant = Grant(text, [.readFile, .readDirectory]),
            grant.belongs(to: [0, geteuid()], type: S_IFDIR)
        else { throw ConfinementError(.untrustedLibrary(path)) }
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

    /// True when it is of this type, and only one of these users can change it.
    func belongs(to owners: [uid_t], type: mode_t) -> Bool {
        var status = stat()
        return fstat(descriptor.raw, &status) == 0 && status.st_mode & S_IFMT == type && owners.contains(status.st_uid)
            && status.st_mode & 0o022 == 0
    }
}
