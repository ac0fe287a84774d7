import Glibc
import TrstctlConnector

/// What the configuration makes Echo do wrong.
enum Misbehaviour {
    /// The names of the status codes in `fail`.
    private static let codes: [String: ConnectorError.Code] = Dictionary(
        uniqueKeysWithValues: ConnectorError.Code.allCases.map { ("\($0)", $0) })

    /// Refuses options that would do nothing.
    static func check(_ config: Configuration) throws(ConnectorError) {
        if let code = config.textIfSet("fail"), codes[code] == nil {
            throw .invalidConfiguration(
                "`fail: \(code)` is no status code", fix: "one of \(codes.keys.sorted().joined(separator: ", "))")
        }
        if let place = config.textIfSet("crash"), !["configure", "read", "deploy", "idle"].contains(place) {
            throw .invalidConfiguration(
                "`crash: \(place)` is no place", fix: "one of configure, read, deploy, idle")
        }
        if let way = config.textIfSet("crash_by"), !["trap", "exit", "signal"].contains(way) {
            throw .invalidConfiguration("`crash_by: \(way)` is no way", fix: "one of trap, exit, signal")
        }
    }

    /// Ends the process when it is to crash here.
    static func crash(at place: String, _ config: Configuration) {
        guard config.textIfSet("crash") == place else { return }
        switch config.textIfSet("crash_by") {
        case "exit": exit(3)
        // A confined process may signal nobody, not even itself: the processor does it.
        case "signal": UnsafeMutableRawPointer(bitPattern: 8)?.storeBytes(of: 0, as: UInt8.self)
        default: fatalError("echo was told to crash in \(place)")
        }
    }

    /// Lets the alarm clock end the process a moment later, when no call runs.
    static func crashLater(_ config: Configuration) {
        guard config.textIfSet("crash") == "idle" else { return }
        var time = itimerval(it_interval: timeval(), it_value: timeval(tv_sec: 0, tv_usec: 20_000))
        setitimer(__itimer_which_t(ITIMER_REAL.rawValue), &time, nil)
    }

    /// Throws when this attempt is to fail.
    static func fail(attempt: Int, _ config: Configuration) throws(ConnectorError) {
        guard let name = config.textIfSet("fail"), let code = codes[name] else { return }
        let times = try config.integer("fail_times")
        guard times == 0 || attempt <= times else { return }
        throw ConnectorError(
            code, "echo was told to fail, attempt \(attempt)", detail: "fail: \(name)",
            isRetryable: code == .unavailable)
    }

    /// Prints junk on stdout and stderr: lines, but also bytes that are no text.
    static func printJunk(bytes: Int64) {
        let line: [UInt8] = Array("TRSTCTL-PLUGIN-V1 /junk \u{1B}[31m".utf8) + [0xFF, 0x00, 0x0A]
        for descriptor in [Int32(1), 2] {
            var left = Int(clamping: max(0, bytes))
            while left > 0 {
                let count = write(descriptor, line, min(left, line.count))
                if count <= 0 { break }
                left -= count
            }
        }
    }
}
