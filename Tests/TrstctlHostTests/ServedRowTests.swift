import Testing

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
