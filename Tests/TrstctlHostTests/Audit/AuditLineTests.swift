import Foundation
import Testing

@testable import TrstctlHost

@Suite("Lines of the audit log")
struct AuditLineTests {
    private static let texts = [
        "", "plain /etc/x", "\"", "\\", "\\\"", "a\nb\n", "\u{0}\u{1}\u{1F}\t\r", "\u{7F}", "é ü ß", "e\u{301}", "漢字 🙂",
        "\u{2028}\u{FEFF}", "/</script>", "\\u0041", String(repeating: "x", count: 9_000),
    ]

    private func record(_ text: String) -> AuditRecord {
        var record = AuditRecord(.call, run: text, connector: text, outcome: text)
        record.digest = text
        record.target = text
        record.scope = text
        record.operation = text
        record.object = text
        record.grant = text
        record.code = text
        record.reason = text
        record.bytes = 17
        record.milliseconds = -3
        return record
    }

    @Test("Whatever a text holds, a JSON parser finds the record in its line again", arguments: texts)
    func reads(_ text: String) throws {
        let record = record(text)
        let line = AuditLine(record).bytes
        #expect(try JSONDecoder().decode(AuditRecord.self, from: Data(line)) == record)
        #expect(line.filter { $0 == 0x0A }.count == 1 && line.last == 0x0A, "one line feed, at the end")
        #expect(line.dropLast().allSatisfy { $0 >= 0x20 }, "no control character")
    }

    @Test func `It is what Foundation's encoder writes, with sorted keys`() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        for record in [record("a \"b\" \\ /etc/ é\nx"), AuditRecord(.start, run: "r", connector: "c", outcome: "o")] {
            #expect(AuditLine(record).bytes == Array(try encoder.encode(record)) + [0x0A])
        }
    }
}
