import Testing
import TrstctlConformance
import TrstctlSystem
import TrstctlWire

@Suite("Frames")
struct FrameTests {
    private static let verifier = FrameDecoderVerifier()

    private func decode(_ bytes: [UInt8]) throws -> [Wire.Frame] { try Self.verifier.decode([bytes]) }

    /// A frame around the bytes of a message.
    private func framed(_ message: [UInt8]) -> [UInt8] {
        withUnsafeBytes(of: UInt32(message.count).bigEndian) { Array($0) } + message
    }

    @Test("Every message with every field comes back as it was", arguments: SampleFrames.all)
    func roundTrip(frame: Wire.Frame) throws {
        let bytes = frame.encoded().array
        #expect(Int(bytes[0]) << 24 | Int(bytes[1]) << 16 | Int(bytes[2]) << 8 | Int(bytes[3]) == bytes.count - 4)
        #expect(try decode(bytes) == [frame])
    }

    @Test("The samples hold every method and every result")
    func complete() {
        #expect(Set(SampleFrames.calls.map(\.fieldNumber)) == Set(Array(16...26) + Array(100...110)))
        #expect(Set(SampleFrames.replies.map(\.fieldNumber)) == Set(Array(16...26) + Array(100...110)))
    }

    @Test("The same frames come out, however the stream is cut")
    func everyCut() {
        let mixed = Array(SampleFrames.all.filter { $0.encoded().count < 120 }.prefix(24))
        #expect(mixed.count == 24)
        #expect(Self.verifier.mismatches(mixed).isEmpty)
    }

    @Test(
        "A frame with a private key leaves nothing of it behind in the buffer, one without is left alone",
        arguments: [true, false])
    func wipedKeys(hasKey: Bool) throws {
        let marker = Bytes(Array("KEY-OF-THIS-TEST".utf8), isSecret: hasKey)
        let deployment = Wire.Deployment(
            certificate: hasKey ? Bytes() : marker, privateKey: hasKey ? marker : Bytes())
        let call = Wire.Call(method: .apply(Wire.ApplyRequest(deployment: deployment)))
        let bytes = Wire.Frame(id: 1, kind: .call(call)).encoded()
        // What the host sends is in memory for secrets only when it holds one.
        #expect(bytes.isSecret == hasKey)
        var decoder = FrameDecoder(maximumFrameBytes: 1 << 20)
        let filled = decoder.withFreeSpace { free in
            bytes.withUnsafeBytes { free.copyMemory(from: $0) }; return bytes.count
        }
        #expect(filled == bytes.count)
        let frame = try #require(try decoder.next()).frame
        guard case .call(let got) = frame.kind, case .apply(let request) = got.method else {
            Issue.record("another frame")
            return
        }
        #expect((hasKey ? request.deployment?.privateKey : request.deployment?.certificate) == marker)
        var rest: [UInt8] = []
        _ = decoder.withFreeSpace { free in
            rest = Array(free.prefix(bytes.count))
            return 0
        }
        #expect(String(decoding: rest, as: UTF8.self).contains("KEY-OF-THIS-TEST") == !hasKey)
    }

    @Test("A long frame is found across many reads and growing memory")
    func longFrame() throws {
        let payload = Bytes((0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 13) })
        let frame = Wire.Frame(
            id: 1, kind: .call(Wire.Call(method: .ping(Wire.PingRequest(payload: payload)))))
        let bytes = frame.encoded().array
        let pieces = stride(from: 0, to: bytes.count, by: 65_521).map {
            Array(bytes[$0..<min($0 + 65_521, bytes.count)])
        }
        #expect(try Self.verifier.decode(pieces + pieces) == [frame, frame])
    }

    @Test("The verifier sees a frame that is missing")
    func verifierFires() {
        let frame = Wire.Frame(id: 1, kind: .cancel(Wire.Cancel()))
        // A decoder that accepts too little is wrong in every way of cutting.
        let strict = FrameDecoderVerifier(maximumFrameBytes: 1)
        #expect(strict.mismatches([frame]).count == 4 + frame.encoded().count)
    }

    // MARK: - Lengths

    @Test("A length of 0 is refused")
    func lengthZero() {
        #expect(throws: WireError(.frameEmpty, "")) { try decode([0, 0, 0, 0]) }
    }

    @Test("The longest allowed frame is accepted, one byte more is not")
    func limit() throws {
        let verifier = FrameDecoderVerifier(maximumFrameBytes: 65_536)
        var frame = Wire.Frame(
            id: 1,
            kind: .call(
                Wire.Call(method: .ping(Wire.PingRequest(payload: Bytes([UInt8](repeating: 7, count: 65_500)))))))
        let overhead = frame.encoded().count - 4 - 65_500
        let payload = Bytes([UInt8](repeating: 7, count: 65_536 - overhead))
        frame.kind = .call(Wire.Call(method: .ping(Wire.PingRequest(payload: payload))))
        let bytes = frame.encoded().array
        #expect(bytes.count == 65_540)
        #expect(try verifier.decode([bytes]) == [frame])
        let smaller = FrameDecoderVerifier(maximumFrameBytes: 65_535)
        #expect(throws: WireError(.frameTooLong, "")) { try smaller.decode([bytes]) }
    }

    @Test(
        "A length above the limit is refused from its four bytes alone, without allocating",
        arguments: [4_194_305, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x0500_0000] as [UInt32])
    func tooLong(length: UInt32) {
        let bytes = withUnsafeBytes(of: length.bigEndian) { Array($0) }
        var decoder = FrameDecoder(maximumFrameBytes: 4 << 20)
        _ = decoder.withFreeSpace { space in
            space.copyBytes(from: bytes)
            return bytes.count
        }
        #expect(throws: WireError(.frameTooLong, "")) { try decoder.next() }
        _ = decoder.withFreeSpace { space in
            #expect(space.count == 131_072 - 4)
            return 0
        }
    }

    @Test("Memory follows the bytes that arrive, not the length that is announced")
    func announcedOnly() throws {
        var decoder = FrameDecoder(maximumFrameBytes: 64 << 20)
        for byte in [3, 0, 0, 0, 8] as [UInt8] {
            _ = decoder.withFreeSpace { space in
                // The memory that is offered never exceeds the first portion.
                #expect(space.count <= 131_072)
                space[0] = byte
                return 1
            }
            #expect(try decoder.next() == nil)
        }
        #expect(decoder.pendingBytes == 5)
    }

    @Test("What a reader claims to have filled is clamped", arguments: [-1, -4096, 1 << 40])
    func clamped(claim: Int) throws {
        var decoder = FrameDecoder(maximumFrameBytes: 64 << 20)
        _ = decoder.withFreeSpace { space in
            space.initializeMemory(as: UInt8.self, repeating: 1)
            return claim
        }
        #expect(decoder.pendingBytes == (claim < 0 ? 0 : 131_072))
    }

    @Test("A stream that ends inside a frame is truncated, at every offset")
    func truncated() throws {
        for frame in SampleFrames.all.prefix(12) {
            let bytes = frame.encoded().array
            for count in 1..<bytes.count {
                #expect(throws: WireError(.frameTruncated, "")) { try decode(Array(bytes.prefix(count))) }
            }
        }
    }

    // MARK: - Messages

    @Test("A message cut short inside a whole frame is never taken for the whole")
    func shortMessage() {
        for frame in SampleFrames.all {
            let message = Array(frame.encoded().array.dropFirst(4))
            for count in 1..<message.count {
                guard let decoded = try? decode(framed(Array(message.prefix(count)))) else { continue }
                #expect(decoded != [frame])
            }
        }
    }

    @Test(
        "What is not a message is refused",
        arguments: [
            [0xFF], [0x08], [0x08, 0x80], [0x12, 0x05, 0x00], [0x12, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F],
            // A varint of 11 bytes; groups (wire types 3 and 4); wire types 6 and 7; field number 0.
            [0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01], [0x0B], [0x0C], [0x0E], [0x0F],
            [0x00, 0x01],
            // A length-delimited call with a length beyond any frame.
            [0x12, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01],
        ] as [[UInt8]])
    func notAMessage(message: [UInt8]) {
        #expect(throws: WireError(.invalidMessage, "")) { try decode(framed(message)) }
    }

    @Test(
        "Text that is not UTF-8 is refused",
        arguments: [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE2, 0x82]] as [[UInt8]])
    func invalidText(text: [UInt8]) {
        // Frame { id: 1, reply { status { message } } }
        let status = [0x12, UInt8(text.count)] + text
        let reply = [0x0A, UInt8(status.count)] + status
        let message = [0x08, 1, 0x1A, UInt8(reply.count)] + reply
        #expect(throws: WireError(.invalidText, "")) { try decode(framed(message)) }
    }

    @Test("Text keeps its NULs: nothing is cut off at one")
    func textWithNUL() throws {
        let frame = Wire.Frame(
            id: 1, kind: .reply(Wire.Reply(status: Wire.Status(code: .internal, message: "a\u{0}b\u{0}"))))
        guard case .reply(let reply)? = try decode(frame.encoded().array).first?.kind else {
            Issue.record("no reply")
            return
        }
        #expect(reply.status.map { Array($0.message.utf8) } == [97, 0, 98, 0])
    }

    @Test("Unknown fields are ignored, wherever they are")
    func unknownFields() throws {
        // Frame { id: 1, 900: "xy", cancel { 901: 5 } }
        let message: [UInt8] = [0x08, 1, 0xA2, 0x38, 2, 0x78, 0x79, 0x22, 3, 0xA8, 0x38, 5]
        #expect(try decode(framed(message)) == [Wire.Frame(id: 1, kind: .cancel(Wire.Cancel()))])
    }

    @Test("An unknown method is a call without a method, and its number is kept")
    func unknownMethod() throws {
        let frames = try decode(framed([0x08, 1, 0x12, 3, 0xEA, 0x04, 0]))
        guard case .call(let call)? = frames.first?.kind else {
            Issue.record("no call")
            return
        }
        #expect(call.method == nil)
        #expect(call.unknownField == 77)
    }

    @Test("An unknown kind of frame has no kind")
    func unknownKind() throws {
        #expect(try decode(framed([0x08, 1, 0x4A, 0])) == [Wire.Frame(id: 1)])
    }

    @Test("An unknown enum number is kept as unrecognized")
    func unknownEnum() throws {
        // Frame { id: 1, reply { status { code: 4711 } } }
        let frames = try decode(framed([0x08, 1, 0x1A, 5, 0x0A, 3, 0x08, 0xE7, 0x24]))
        let status = Wire.Status(code: .unrecognized(4711))
        #expect(frames == [Wire.Frame(id: 1, kind: .reply(Wire.Reply(status: status)))])
    }

    @Test("Of a field that comes twice the last counts, of a choice too")
    func lastWins() throws {
        // Frame { id: 1, id: 2, cancel, call { scope_call: 3 } }
        let frames = try decode(framed([0x08, 1, 0x08, 2, 0x22, 0, 0x12, 2, 0x18, 3]))
        #expect(frames == [Wire.Frame(id: 2, kind: .call(Wire.Call(scopeCall: 3)))])
    }

    @Test("Two million empty messages in a 4 MiB frame are refused by the unpacking budget")
    func bomb() {
        // Frame { id: 1, reply { plan { changes: [{}, {}, …] } } }
        func field(_ number: UInt8, _ content: [UInt8]) -> [UInt8] {
            var length = content.count
            var prefix: [UInt8] = []
            repeat {
                prefix.append(UInt8(length & 0x7F) | (length > 0x7F ? 0x80 : 0))
                length >>= 7
            } while length > 0
            return (number < 16 ? [number << 3 | 2] : [number << 3 & 0x7F | 0x82, number >> 4]) + prefix + content
        }
        let changes = [UInt8]((0..<2_000_000).flatMap { _ in [0x0A, 0] as [UInt8] })
        let message = [0x08, 1] + field(3, field(1, []) + field(19, changes))
        #expect(throws: WireError(.invalidMessage, "")) { try decode(framed(message)) }
    }

    // MARK: - Mutation

    /// xorshift64*, so that a failure can be repeated.
    private struct Random: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state ^= state >> 12
            state ^= state << 25
            state ^= state >> 27
            return state &* 0x2545_F491_4F6C_DD1D
        }
    }

    @Test(
        "50 000 damaged frames decode or are refused, and what decodes can be sent again", arguments: [1, 2, 3, 4, 5])
    func mutation(seed: UInt64) throws {
        var random = Random(state: seed &* 0x9E37_79B9_7F4A_7C15)
        let samples = SampleFrames.all.map { Array($0.encoded().array.dropFirst(4)) }
        var decodedCount = 0
        for _ in 0..<10_000 {
            guard var message = samples.randomElement(using: &random) else { return }
            for _ in 0..<Int.random(in: 1...4, using: &random) where !message.isEmpty {
                let at = Int.random(in: 0..<message.count, using: &random)
                switch Int.random(in: 0..<5, using: &random) {
                case 0: message[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                case 1: message[at] = UInt8.random(in: 0...255, using: &random)
                case 2: message.remove(at: at)
                case 3: message.insert(UInt8.random(in: 0...255, using: &random), at: at)
                default:
                    message =
                        Array(message.prefix(at)) + message.suffix(Int.random(in: 0...message.count, using: &random))
                }
            }
            guard !message.isEmpty, let frame = try? decode(framed(message)).first else { continue }
            decodedCount += 1
            // A frame without id and kind, which the multiplexer refuses, would be of length 0.
            guard frame.id != 0 else { continue }
            var again = try #require(try decode(frame.encoded().array).first)
            // The number of an unknown method is for the answer only; it is not sent on.
            if case .call(var call) = again.kind, case .call(let sent) = frame.kind {
                call.unknownField = sent.unknownField
                again.kind = .call(call)
            }
            #expect(again == frame)
        }
        #expect(decodedCount > 500)
    }
}
