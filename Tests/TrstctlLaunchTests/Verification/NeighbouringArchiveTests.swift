import Testing
import TrstctlCrypto
import TrstctlPolicy
import TrstctlSystem

@testable import TrstctlLaunch

@Suite("The archive beside a connector")
struct NeighbouringArchiveTests {
    @Test("Only so many names of the directory are looked at, whoever made the others")
    func bound() throws {
        let directory = try TemporaryDirectory()
        let name = try #require(ConnectorName("ok"))
        let archive = Array("archive".utf8)
        try directory.write([1], to: name.executableFileName)
        try directory.write(archive, to: name.executableFileName + ".tar.gz")
        let candidate = try Discovery(SearchPath(explicit: [Bytes(directory.path)], variable: nil, home: nil))
            .candidate(name)
        let digest = try #require(archive.withUnsafeBytes { SHA256.digest($0) }.flatMap { SHA256Digest(bytes: $0) })
        let pins = Pins([digest])
        // Two names: the connector and the archive, in some order.
        #expect(NeighbouringArchive.pinned(beside: candidate, pins) == Bytes(name.executableFileName + ".tar.gz"))
        #expect(NeighbouringArchive.pinned(beside: candidate, pins, among: 2) != nil)
        #expect(NeighbouringArchive.pinned(beside: candidate, pins, among: 0) == nil)
    }
}
