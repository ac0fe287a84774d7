import CTrstctlSandbox
import TrstctlSystem

/// A process that could not be started: at which step, what was to be started, and why.
package struct SpawnError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The step, for example `exec`, `landlock` or `seccomp`: the names of `trstctl_spawn_stage_name`.
    package let stage: String
    /// The path of the program, or the name it was to run under.
    package let object: String
    /// The value of `errno` of that step, see errno(3).
    package let errno: Int32

    package init(stage: String, object: String, errno: Int32) {
        self.stage = stage
        self.object = object
        self.errno = errno
    }

    init(_ result: trstctl_spawn_result, object: String) {
        let name = trstctl_spawn_stage_name(result.stage).map { String(cString: $0) } ?? "unknown"
        self.init(stage: name, object: object, errno: result.error)
    }

    package var description: String {
        let reason = SystemError(stage: stage, errno: errno).reason
        return "cannot start \(object): \(stage): \(reason)"
    }
}
