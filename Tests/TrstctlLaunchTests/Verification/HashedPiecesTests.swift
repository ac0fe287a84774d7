import Glibc
import Testing
import TrstctlCrypto
import TrstctlSystem

@testable import TrstctlLaunch

@Suite("Hashing while copying", .timeLimit(.minutes(1)))
struct HashedPiecesTests {
    @Test(
        "The digest is that of all pieces in their order, however many and how long they are",
        arguments: [
            [], [0], [1], [HashedPieces.size], Array(repeating: HashedPieces.size, count: 2), [5, 0, 7, 131_071],
        ])
    func digests(_ lengths: [Int]) throws {
        for rounds in [1, HashedPieces.count, 5 * HashedPieces.count + 1] {
            let pieces = HashedPieces()
            var all: [UInt8] = []
            for _ in 0..<rounds {
                for length in lengths {
                    let piece = [UInt8](repeating: UInt8.random(in: 0...255), count: length)
                    let buffer = pieces.next()
                    buffer.copyBytes(from: piece)
                    pieces.give(length)
                    all += piece
                }
            }
            #expect(pieces.finish() == all.withUnsafeBytes { SHA256.digest($0) })
        }
    }

    @Test("What is given up in between ends its thread and frees its buffers")
    func abandoned() {
        weak var left: HashedPieces?
        do {
            let pieces = HashedPieces()
            left = pieces
            for _ in 0..<10 {
                _ = pieces.next()
                pieces.give(HashedPieces.size)
            }
            pieces.abandon()
        }
        // Its thread holds it until it has seen that it is over.
        while left != nil { sched_yield() }
        #expect(left == nil)
    }
}
