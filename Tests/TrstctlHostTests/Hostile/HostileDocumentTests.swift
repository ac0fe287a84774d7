import Foundation
import Testing
import TrstctlBroker
import TrstctlLaunch
import TrstctlSystem
import TrstctlTestSupport

@testable import TrstctlHost

/// `spec/hostile.md` and `spec/reasons.md` say what the tests and the code do.
@Suite("The documents of the hostile suite")
struct HostileDocumentTests {
    private struct Row {
        var id: String
        var outcome: String
        var tests: String
    }

    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../..").standardized

    private static func document(_ name: String) throws -> String {
        try String(contentsOf: root.appendingPathComponent("spec/\(name)"), encoding: .utf8)
    }

    private static func rows() throws -> [Row] {
        try document("hostile.md").split(separator: "\n").compactMap { line in
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            guard cells.count == 4, cells[0].wholeMatch(of: /[A-Z][0-9]{2}/) != nil else { return nil }
            return Row(id: cells[0], outcome: cells[2], tests: cells[3])
        }
    }

    /// The rows of the study that this suite comes from.
    private static let ids =
        """
        D01 D02 D03 D05 D06 D07 D09 D10 D11 M01 M02 M03 M05 M06 M07 M09 M10 M11 M13 M14 M15 M17 M18 M19 C01 C02 C03 C05 C06 C07
        C09 C10 C11 C13 C14 S01 S02 S03 S05 S06 S07 S09 S10 S11 S13 S14 S15 H01 H02 H03 H05 H06 H07 H09 H10 H11 H13 H14 H15 H17
        H18 H19 H21 H22 H23 F01 F02 F03 F05 F06 F07 F09 F10 F11 F13 F14 F15 F17 F18 F19 R01 R02 R03 R05 R06 R07 R09 R10 R11 R13
        R14 R15 R17 R18 R19 N01 N02 N03 N05 N06 N07 N09 N10 N11 N13 N14 N15 N17 N18 N19 N21 N22 N23 N25 N26 N27 N29 N30 N31 N33 N34 N35 B01 B02 B03 B05 B06 B07 B09 B10 B11 B13 B14 B15 B17 B18 B19 B21 B22 B23 B25 B26 L01 L02 L03 L05 L06
        L07 L09 L10 L11 L13 L14 L15 Q01 Q02 Q03 Q05 Q06 Q07 Q09 Q10 Q11 Q13 Q14
        P01 P02 P03 P05 P06 P07 P09 P10 P11 P13 P14 P15 P17 P18 P19 P21 P22 P23 P25 P26 P27 P29 P30 P31 P33 P34 P35
        X01 X02 X03 X05 X06 X07 X09 X10 X11 X13 X14 X15 X17 X18 X19
        """.split(whereSeparator: \.isWhitespace).map(String.init)

    @Test("The document and the suite are the same")
    func hostile() throws {
        let rows = try HostileDocumentTests.rows()
        #expect(rows.map(\.id) == HostileDocumentTests.ids)
        let cases =
            HostileCase.all.map { ($0.id, $0.outcome.text) } + ManifestCase.all.map { ($0.id, $0.outcome.text) }
            + SiegeCase.all.flatMap { entry in entry.must.union(entry.may).map { (entry.id, $0.text) } }
        let outcomes = Dictionary(grouping: cases) { $0.0 }.mapValues { Set($0.map(\.1)) }
        for row in rows where row.tests.hasPrefix("the table") {
            let said = Set(row.outcome.components(separatedBy: "; "))
            #expect(said == outcomes[row.id], "\(row.id)")
        }
        #expect(Set(outcomes.keys) == Set(rows.filter { $0.tests.hasPrefix("the table") }.map(\.id)))
    }

    @Test("Every test that the documents name is one")
    func names() throws {
        let folder = HostileDocumentTests.root.appendingPathComponent("Tests")
        let files =
            FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)?.compactMap { $0 as? URL } ?? []
        let sources = try files.filter {
            $0.pathExtension == "swift" && $0.lastPathComponent != "HostileDocumentTests.swift"
        }
        .map { try String(contentsOf: $0, encoding: .utf8) }.joined()
        var count = 0
        for row in try HostileDocumentTests.rows() {
            for name in row.tests.matches(of: /`([^`]+)`/).map(\.output.1) {
                let isTest = ["\"\(name)\"", "`\(name)`"].contains { sources.contains($0) }
                #expect(isTest || row.tests.hasPrefix("not applicable"), "\(row.id): there is no test \"\(name)\"")
                count += 1
            }
            #expect(row.tests.contains("table") || row.tests.contains("`") || row.tests.contains("not applicable"))
        }
        #expect(count > 60)
    }

    @Test("Every reason code is documented, and every documented one is a code")
    func reasons() throws {
        let text = try HostileDocumentTests.document("reasons.md")
        let documented = Set(
            text.split(separator: "\n").filter { $0.hasPrefix("| `") }
                .flatMap { $0.split(separator: "|")[0].matches(of: /`([a-z0-9-]+)`/).map { String($0.output.1) } })
        var codes = Set(ReasonCode.Host.allCases.map(\.rawValue))
        codes.formUnion(SessionError.Code.allCases.map(\.rawValue))
        codes.formUnion(ManifestError.Code.allCases.map(\.rawValue))
        codes.formUnion(CredentialError.Code.allCases.map(\.rawValue))
        codes.formUnion(EffectError.Code.allCases.map(\.rawValue))
        let sieges = SiegeCase.all.flatMap { $0.must.union($0.may) }.map(\.text)
        let used = (HostileCase.all.map(\.outcome.text) + ManifestCase.all.map(\.outcome.text) + sieges)
            .joined(separator: " ")
        codes.formUnion(used.matches(of: /\(([a-z0-9-]+)\)/).map { String($0.output.1) })
        #expect(codes.subtracting(documented).sorted() == [])
        #expect(documented.allSatisfy { $0.wholeMatch(of: /[a-z0-9]+(-[a-z0-9]+)*-?/) != nil })
    }
}
