import CTrstctlSandbox
import Glibc
import TrstctlSystem

extension SpawnRequest {
    /// Hands the request to the C function; returns the process number and its pidfd.
    func start() throws(SpawnError) -> (pid: pid_t, pidfd: Int32) {
        var raw = trstctl_spawn_request()
        raw.executable = -1
        var path: CString?
        switch program {
        case .descriptor(let descriptor): raw.executable = descriptor
        case .path(let bytes):
            path = CString(bytes)
            raw.path = UnsafePointer(path?.pointer)
        case .rehearsal: break
        }
        guard let words = CStringVector(arguments), let variables = CStringVector(environment),
            !words.isEmpty, raw.executable != -1 || raw.path != nil || isRehearsal
        else { throw SpawnError(stage: "request", object: object, errno: EINVAL) }
        raw.argv = UnsafePointer(words.base)
        raw.envp = UnsafePointer(variables.base)
        raw.script = script ?? -1
        raw.standard_input = standardInput ?? -1
        raw.standard_output = standardOutput
        raw.standard_error = standardError
        raw.flags = flags
        raw.landlock_ruleset = confinement.landlockRuleset ?? -1
        raw.filter_pid = SpawnRequest.systemCalls.pidIndex
        raw.execute_key = SpawnRequest.executeKey
        raw.cgroup = confinement.unifiedGroup ?? -1
        raw.user = confinement.user ?? 0
        raw.patience = patience
        raw.failing = confinement.failingBits

        var rawLimits = limits.map {
            trstctl_spawn_limit(resource: $0.resource, soft_only: $0.isSoft ? 1 : 0, value: $0.value)
        }
        var groups = confinement.controlGroups
        var filter = confinement.filtersSystemCalls ? SpawnRequest.filter : []
        var result = trstctl_spawn_result()
        do throws(SystemError) {
            try SpawnThread.shared.run {
                rawLimits.withUnsafeMutableBufferPointer { limits in
                    groups.withUnsafeMutableBufferPointer { groups in
                        filter.withUnsafeMutableBufferPointer { filter in
                            raw.limits = UnsafePointer(limits.baseAddress)
                            raw.limit_count = limits.count
                            raw.cgroups = UnsafePointer(groups.baseAddress)
                            raw.cgroup_count = groups.count
                            raw.filter = filter.isEmpty ? nil : filter.baseAddress
                            raw.filter_count = filter.count
                            _ = trstctl_spawn(&raw, &result)
                        }
                    }
                }
            }
        } catch {
            throw SpawnError(stage: error.stage, object: object, errno: error.errno)
        }
        guard result.stage == TRSTCTL_STAGE_NONE.rawValue else { throw SpawnError(result, object: object) }
        return (result.pid, result.pidfd)
    }

    /// What only this host's launcher passes to execveat; a program that runs cannot find it out.
    private static let executeKey = UInt64.random(in: 1 ... .max)
    private static let systemCalls = SystemCallFilter(.native, key: executeKey)
    private static let filter = systemCalls.instructions.map {
        sock_filter(code: $0.code, jt: $0.jumpTrue, jf: $0.jumpFalse, k: $0.operand)
    }

    private var isRehearsal: Bool {
        if case .rehearsal = program { true } else { false }
    }

    private var flags: UInt32 {
        var flags = TRSTCTL_SPAWN_AT_ROOT.rawValue
        if hasPrivateUmask { flags |= TRSTCTL_SPAWN_PRIVATE_UMASK.rawValue }
        flags |= confinement.isolation.rawValue
        if isRehearsal { flags |= TRSTCTL_SPAWN_REHEARSAL.rawValue }
        if startsSession { flags |= TRSTCTL_SPAWN_NEW_SESSION.rawValue }
        if diesWithHost { flags |= TRSTCTL_SPAWN_DIE_WITH_HOST.rawValue }
        if confinement.noNewPrivileges { flags |= TRSTCTL_SPAWN_NO_NEW_PRIVS.rawValue }
        if confinement.denyWriteExecute { flags |= TRSTCTL_SPAWN_DENY_WRITE_EXEC.rawValue }
        return flags
    }
}

/// A NUL-terminated copy.
private final class CString {
    let pointer: UnsafeMutablePointer<CChar>

    /// Nil when the bytes hold a NUL, which would cut the text.
    init?(_ bytes: Bytes) {
        let array = bytes.array
        guard !array.contains(0) else { return nil }
        pointer = .allocate(capacity: array.count + 1)
        for (offset, byte) in array.enumerated() { pointer[offset] = CChar(bitPattern: byte) }
        pointer[array.count] = 0
    }

    deinit { pointer.deallocate() }
}

/// A NULL-terminated array of NUL-terminated copies, as execve(2) takes it.
private final class CStringVector {
    let base: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private let strings: [CString]

    init?(_ texts: [Bytes]) {
        let strings = texts.compactMap { CString($0) }
        guard strings.count == texts.count else { return nil }
        self.strings = strings
        base = .allocate(capacity: strings.count + 1)
        for (offset, string) in strings.enumerated() { base[offset] = string.pointer }
        base[strings.count] = nil
    }

    deinit { base.deallocate() }

    var isEmpty: Bool { strings.isEmpty }
}
