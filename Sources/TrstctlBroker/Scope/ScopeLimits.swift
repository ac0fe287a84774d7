/// How much the brokered calls of one scope may use up together; a deployment is one scope.
package struct ScopeLimits: Hashable, Sendable {
    /// Bytes of all files written.
    package var bytesWritten = 64 << 20
    /// Different files changed; one that is put back and changed again counts twice.
    package var files = 256
    /// Commands run.
    package var commands = 100
    /// Requests that may change something, and sends.
    package var exchanges = 1_000
    /// Bytes of one file's old content that are kept to restore it; a larger file cannot be changed.
    package var restorableFile = 16 << 20
    /// Bytes of all old content kept.
    package var restorable = 64 << 20
    /// Records kept of calls that change nothing; further ones are only counted.
    package var records = 1_000
    /// Calls that may change something; each has its record, and one too many is refused.
    package var mutations = 2_000

    /// The limits that the host uses.
    package init() {}
}
