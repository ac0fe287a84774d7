import Glibc
import TrstctlPolicy

/// What the network calls of a scope depend on besides grants; tests change it, the host does not.
///
/// All scopes of one connector have the same, and no two connectors do: one that leaves look-ups behind takes its own
/// places.
package struct NetworkSettings: Sendable {
    /// Turns names into addresses.
    var resolver: @Sendable (String, UInt16) -> AddressLookup.Answer = { AddressLookup.system($0, $1) }
    /// The look-ups that may be under way, those left behind included.
    let places = LookupPlaces(16)
    /// Where the clouds' metadata services answer; nil only if this text were no address.
    var metadata = NetworkSettings.metadata
    private static let metadata = try? DialAddress("169.254.169.254:80")
    /// How long an answer may take from its first byte on before its rate counts, in milliseconds.
    var patienceMilliseconds: Int64 = 10_000
    /// The least bytes per second of an answer, on average, after that.
    var leastBytesPerSecond: Int64 = 64
    /// The wait before the first repetition, in milliseconds; each further one takes twice as long.
    var retryMilliseconds: Int64 = 250
    /// How often a request is sent at most.
    var attempts = 4
    /// Seconds since the Unix epoch, for tokens.
    var now: @Sendable () -> Int64 = { Int64(time(nil)) }

    package init() {}
}
