import Glibc
import Synchronization
import Testing
import TrstctlLaunch
import TrstctlPolicy
import TrstctlTestSupport

@testable import TrstctlHost

/// When handshakes prove what is served.
@Suite("What a row of handshakes proves")
struct ServedRowTests {
    private var row = ServedRow(accepted: ["new"])

    @Test("Three in a row prove it, whatever was served before them")
    func proven() {
        var row = row
        for fingerprint in ["old", "new", "old", "new", "new"] { row.saw(fingerprint) }
        #expect(!row.isProven)
        row.saw("new")
        #expect(row.isProven && row.result == ("new", ""))
    }

    @Test("The time of a proof begins when it has a thread, however long those of silent servers had it")
    func waits() async throws {
        let pki = try TestPKI()
        let made = try pki.issue("localhost")
        let server = try PythonServer("https_server", [made.fullchainPath, made.keyPath])
        let address = try DialAddress("127.0.0.1:\(server.port)")
        let threads = WorkerPool(maximumThreads: 1)
        let isHeld = Atomic<Bool>(false)
        async let blocker: Void = threads.run {
            isHeld.store(true, ordering: .releasing)
            _ = poll(nil, 0, 1_500)
        }
        while !isHeld.load(ordering: .acquiring) { await Task.yield() }
        let proof = ServedProof(probe: Probe(address: address, serverName: nil, timeout: 1), threads: threads)
        let found = await proof.wait(for: [made.fingerprint])
        #expect(found.found == made.fingerprint, "\(found)")
        await blocker
    }

    @Test("A server that dies after it has shown the certificate is no proof")
    func dies() {
        var row = row
        row.saw("new")
        row.missed("refused", isCutShort: false)
        #expect(!row.isProven && row.result == ("", "refused"))
    }

    @Test("A server that shows now this certificate and now another is no proof, whatever comes last")
    func wavers() {
        var row = row
        for fingerprint in ["new", "old", "new"] { row.saw(fingerprint) }
        #expect(row.result == ("", "it was served in some handshakes and not in others, last: fingerprint old"))
        row.saw("old")
        #expect(row.result == ("old", ""))
    }

    @Test("A slow server that showed nothing else proves it with fewer")
    func slow() {
        var row = row
        row.saw("old")
        row.saw("new")
        row.missed("no answer before the deadline", isCutShort: true)
        #expect(!row.isProven && row.result == ("new", ""))
    }

    @Test("What the deadline cut short hides no reason that was there before")
    func reason() {
        var row = row
        row.missed("no answer before the deadline", isCutShort: true)
        #expect(row.result == ("", "no answer before the deadline"))
        row.missed("refused", isCutShort: false)
        row.missed("no answer before the deadline", isCutShort: true)
        #expect(row.result == ("", "refused"))
    }
}
