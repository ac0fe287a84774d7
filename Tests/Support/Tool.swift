import Foundation
import Glibc

/// Programs of others that tests start, installed by `scripts/setup --test`.
package enum Tool {
    /// Whether continuous integration runs the tests: there, what is missing is a failure.
    package static var isCI: Bool { ProcessInfo.processInfo.environment["CI"] == "true" }

    /// The program's path, also where only root looks.
    package static func path(_ name: String) -> String? {
        let found = (getenv("PATH").map { String(cString: $0) } ?? "").split(separator: ":").map(String.init)
        return (found + ["/usr/sbin", "/sbin", "/usr/local/sbin"]).map { "\($0)/\(name)" }.first {
            access($0, X_OK) == 0
        }
    }

    /// Whether a test that needs the program is run: where it is there, and in CI, where the test then fails without it.
    package static func isExpected(_ name: String) -> Bool { isCI || path(name) != nil }
}
