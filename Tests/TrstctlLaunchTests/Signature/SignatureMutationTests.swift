import Testing
import TrstctlCrypto

/// Changes bytes the way accidents and attackers do: bits, values, pieces gone, doubled, moved.
func mutate(_ bytes: inout [UInt8], using random: inout SeededGenerator) {
    guard !bytes.isEmpty else {
        bytes.append(UInt8.random(in: 0...255, using: &random))
        return
    }
    let index = Int.random(in: 0..<bytes.count, using: &random)
    switch Int.random(in: 0..<8, using: &random) {
    case 0: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
    case 1: bytes[index] = UInt8.random(in: 0...255, using: &random)
    case 2: bytes[index] = Array("{}[]\",:\\=+/AZaz09 \n\r".utf8).randomElement(using: &random) ?? 0
    case 3: bytes.insert(UInt8.random(in: 0...255, using: &random), at: index)
    case 4: bytes.remove(at: index)
    case 5: bytes.removeSubrange(index..<min(bytes.count, index + Int.random(in: 1...40, using: &random)))
    case 6:
        let piece = Array(bytes[index..<min(bytes.count, index + Int.random(in: 1...40, using: &random))])
        bytes.insert(contentsOf: piece, at: Int.random(in: 0...bytes.count, using: &random))
    default: bytes.swapAt(index, Int.random(in: 0..<bytes.count, using: &random))
    }
}

/// 20,000 changed files of each form: none crashes the reader, none verifies.
@Suite("Changed signature files")
struct SignatureMutationTests {
    private let tools: SignatureTools

    // Small content: the reading of signatures is what is tested.
    init() throws { tools = try SignatureTools(size: 100) }

    /// A changed file verifies only where the change is in something that has no meaning: then it was read as the same.
    private func check(_ file: [UInt8], _ key: SignatureKey, seed: UInt64, count: Int = 20_000) throws {
        let original = try DetachedSignature(file: file)
        var random = SeededGenerator(seed)
        var (parsed, same) = (0, 0)
        let content = try tools.fixture.content
        _ = try SignatureVerifier.verify(content: content, digest: tools.fixture.digest, signature: original, key: key)
        for number in 0..<count {
            var changed = file
            for _ in 0..<Int.random(in: 1...3, using: &random) { mutate(&changed, using: &random) }
            guard let signature = try? DetachedSignature(file: changed) else { continue }
            parsed += 1
            guard signature != original else {
                same += 1
                continue
            }
            let isVerified =
                (try? SignatureVerifier.verify(
                    content: content, digest: tools.fixture.digest, signature: signature, key: key)) != nil
            #expect(!isVerified, "seed \(seed), number \(number): \(changed)")
        }
        #expect(parsed < count)
        // If most changes were read as the original, the comparison above would say nothing.
        #expect(same < count / 4, "\(same) of \(count)")
    }

    @Test("base64 ECDSA") func ecdsa() throws { try check(tools.base64ECDSA, tools.p256, seed: 11) }
    @Test("base64 Ed25519") func edwards() throws {
        try check(Array("\(base64(tools.edwards))\n".utf8), tools.ed25519, seed: 12)
    }
    @Test("raw Ed25519") func raw() throws { try check(tools.edwards, tools.ed25519, seed: 13) }
    @Test("minisign") func minisign() throws { try check(tools.minisignFile, tools.minisign, seed: 14) }
    @Test("a small Sigstore bundle") func bundle() throws { try check(tools.bundle(), tools.p256, seed: 15) }
}
