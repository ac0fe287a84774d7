import Glibc

/// How much a test does: what `scripts/test` has time for, or what `scripts/soak` asks for.
///
/// - Parameters:
///   - name: the variable's name after `TRSTCTL_SOAK_`, for example `SWAP`; it has a line in `scripts/soak`.
///   - short: how much without the variable.
/// - Returns: how much.
package func soakCount(_ name: String, short: Int) -> Int {
    getenv("TRSTCTL_SOAK_\(name)").flatMap { Int(String(cString: $0)) }.map { max(1, $0) } ?? short
}
