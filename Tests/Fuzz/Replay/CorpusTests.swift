import Foundation
import Testing
import TrstctlFuzz

/// Every file of every corpus, so that what fuzzing found once stays mended; `scripts/soak fuzz` looks for more.
@Suite("Fuzzing corpora")
struct CorpusTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../corpus").standardizedFileURL.path

    private static func files(_ entry: FuzzEntry) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: "\(root)/\(entry.rawValue)").sorted()
    }

    @Test("Every input of the corpus is read or refused, and what should hold holds", arguments: FuzzEntry.allCases)
    func replay(_ entry: FuzzEntry) throws {
        let files = try CorpusTests.files(entry)
        #expect(files.count >= 3, "the corpus of \(entry) is nearly empty")
        for file in files {
            let input = Array(
                try Data(contentsOf: URL(fileURLWithPath: "\(CorpusTests.root)/\(entry.rawValue)/\(file)")))
            #expect(entry.violation(input) == nil, "\(file)")
            // The same, cut off and with a byte less in front: cheap, and close to what real damage looks like.
            for cut in [input.count / 2, max(0, input.count - 1)] {
                #expect(entry.violation(Array(input.prefix(cut))) == nil, "\(file), the first \(cut) bytes")
            }
            #expect(entry.violation(Array(input.dropFirst())) == nil, "\(file) without its first byte")
        }
    }

    @Test("The corpora stay small enough for a repository")
    func size() throws {
        var bytes = 0
        for entry in FuzzEntry.allCases {
            for file in try CorpusTests.files(entry) {
                let path = "\(CorpusTests.root)/\(entry.rawValue)/\(file)"
                bytes += try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0
            }
        }
        #expect(bytes < 300_000)
    }
}
