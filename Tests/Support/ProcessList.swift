import Foundation
import Glibc

/// What this process and its children hold, as /proc tells.
package enum ProcessList {
    /// Running children of a process whose words or environment name a path.
    ///
    /// - Parameters:
    ///   - text: for example a test's own directory, which nothing else names.
    ///   - parent: whose children; this process's by default.
    /// - Returns: their numbers.
    package static func running(in text: String, of parent: Int32 = getpid()) -> [Int32] {
        children(of: parent).filter { pid in
            ["cmdline", "environ"].contains { file in
                guard let data = FileManager.default.contents(atPath: "/proc/\(pid)/\(file)") else { return false }
                return data.range(of: Data(text.utf8)) != nil
            }
        }
    }

    /// Children that ended and were not reaped.
    package static var zombies: [Int32] { children(of: getpid()).filter { status(of: $0) == "Z" } }

    /// Whether a process runs: exists, and is no zombie.
    package static func isRunning(_ pid: Int32) -> Bool {
        guard let status = status(of: pid) else { return false }
        return status != "Z" && status != "X"
    }

    /// Whether a process runs and was not stopped by a signal.
    package static func isAwake(_ pid: Int32) -> Bool { isRunning(pid) && status(of: pid) != "T" }

    /// How many descriptors this process has open.
    package static var openDescriptors: Int {
        ((try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []).count
    }

    /// Whether something becomes true once the tests that run at the same time are done; what leaked stays.
    ///
    /// - Parameter condition: for example that no more descriptors are open than before.
    /// - Returns: false when it did not within two minutes.
    package static func settles(_ condition: () -> Bool) async -> Bool {
        for _ in 0..<1_200 {
            if condition() { return true }
            try? await Task.sleep(for: .milliseconds(100))
        }
        return false
    }

    /// The most memory that a process has ever used, in bytes; 0 when there is no such process.
    package static func peakMemory(of pid: Int32) -> Int {
        let text = (try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("VmHWM:") } ?? ""
        return (line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Int($0) } ?? 0)
            << 10
    }

    /// The direct children of a process.
    package static func children(of parent: Int32) -> [Int32] {
        let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(parent)/task")) ?? []
        return tasks.flatMap { task -> [Int32] in
            let text = try? String(contentsOfFile: "/proc/\(parent)/task/\(task)/children", encoding: .utf8)
            return (text ?? "").split(separator: " ").compactMap { Int32($0) }
        }
    }

    /// The third field of /proc/PID/stat, after the name in parentheses.
    private static func status(of pid: Int32) -> Character? {
        guard let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
            let end = text.lastIndex(of: ")")
        else { return nil }
        return text[end...].dropFirst(2).first
    }
}
