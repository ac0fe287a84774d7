import CTrstctlSystem
import Glibc

/// A system call that failed: which one, at what, and the error number.
///
/// The message never contains content, only the names the operator already knows.
package struct SystemError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The system call or the step, for example `openat2`.
    package var stage: String
    /// What it was applied to, for example a path; empty when there is nothing to name.
    package var object: String
    /// The value of `errno`, see errno(3).
    package var errno: Int32

    package init(stage: String, object: String = "", errno: Int32) {
        self.stage = stage
        self.object = object
        self.errno = errno
    }

    /// Captures the calling thread's `errno`; call it directly after the failed system call.
    package static func last(_ stage: String, _ object: String = "") -> SystemError {
        SystemError(stage: stage, object: object, errno: Glibc.errno)
    }

    /// The system's text for the error number, for example `Permission denied`.
    package var reason: String {
        var buffer = [CChar](repeating: 0, count: 128)
        trstctl_error_text(errno, &buffer, buffer.count)
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    package var description: String {
        object.isEmpty ? "\(stage): \(reason)" : "\(stage) \(object): \(reason)"
    }
}

/// Repeats a system call while a signal interrupts it, and turns -1 into a `SystemError`.
package func retryingInterrupts<Result: FixedWidthInteger & SignedInteger>(
    _ stage: String, _ object: @autoclosure () -> String = "", _ call: () -> Result
) throws(SystemError) -> Result {
    while true {
        let result = call()
        guard result == -1 else { return result }
        let error = Glibc.errno
        guard error == EINTR else { throw SystemError(stage: stage, object: object(), errno: error) }
    }
}
