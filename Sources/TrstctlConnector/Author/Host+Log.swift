internal import TrstctlWire

/// How much a line of the log matters.
public enum LogLevel: Sendable, Hashable {
    case debug, info, warning, error

    var message: Wire.LogRequest.Level {
        switch self {
        case .debug: .debug
        case .info: .info
        case .warning: .warning
        case .error: .error
        }
    }
}

extension Host {
    /// Puts a line into the host's log.
    ///
    /// It is not waited for, and not even made when nobody will see it: `trstctl` shows debug and info with `--verbose`.
    ///
    /// - Parameters:
    ///   - level: how much it matters.
    ///   - message: at most 4 KiB arrive. Never a secret.
    public func log(_ level: LogLevel, _ message: @autoclosure () -> String) {
        guard session.shows(level.message) else { return }
        let line = Wire.LogRequest(level: level.message, message: message().cut(to: 4096))
        session.tell(.log(line), in: call, worker)
    }

    /// Says where a long call stands.
    ///
    /// It is not waited for, and not sent when nobody will see it.
    ///
    /// - Parameters:
    ///   - message: at most 256 bytes arrive.
    ///   - percent: 1 to 100; 0 when unknown.
    public func progress(_ message: @autoclosure () -> String, percent: Int = 0) {
        guard session.shows(.info) else { return }
        let progress = Wire.ProgressRequest(
            message: message().cut(to: 256), percent: UInt32(clamping: max(0, min(100, percent))))
        session.tell(.progress(progress), in: call, worker)
    }
}
