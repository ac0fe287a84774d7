import TrstctlConformance
import TrstctlLaunch
import TrstctlSystem
import TrstctlWire

enum FrameFuzz {
    /// The first byte says how the rest, the stream, is cut into pieces.
    static func run(_ input: [UInt8]) throws(Violation) {
        guard let first = input.first else { return }
        let stream = Array(input.dropFirst())
        let verifier = FrameDecoderVerifier(maximumFrameBytes: 64 << 10)
        let whole = decode([stream], verifier)
        let size = Int(first) + 1
        let pieces = stride(from: 0, to: stream.count, by: size).map {
            Array(stream[$0..<min(stream.count, $0 + size)])
        }
        try expect(decode(pieces, verifier) == whole, "cut into pieces of \(size) bytes the stream is another one")
        guard case .success(let frames) = whole else { return }
        try deliver(frames, to: Multiplexer(side: .host))
        try deliver(frames, to: Multiplexer(side: .connector))
    }

    private static func decode(
        _ pieces: [[UInt8]], _ verifier: FrameDecoderVerifier
    ) -> Result<[Wire.Frame], WireError> {
        do throws(WireError) {
            return .success(try verifier.decode(pieces))
        } catch {
            return .failure(error)
        }
    }

    /// What an honest side does with the frames of a peer that may be dishonest.
    private static func deliver(_ frames: [Wire.Frame], to start: Multiplexer) throws(Violation) {
        var multiplexer = start
        if multiplexer.side == .host { _ = multiplexer.start(Wire.Call(method: .hello(Wire.HelloRequest())), bytes: 9) }
        for (index, frame) in frames.enumerated() {
            let event: Multiplexer.Event
            do throws(WireError) {
                event = try multiplexer.receive(frame, bytes: 64)
            } catch {
                return
            }
            try expect(multiplexer.incomingCount <= multiplexer.limits.calls, "more calls in flight than the window")
            if case .call(let id, _) = event, index.isMultiple(of: 2) {
                let status = Wire.Status(code: .unimplemented, message: "")
                try expect(multiplexer.reply(to: id, with: Wire.Reply(status: status)) != nil, "no reply to \(id)")
                try expect(multiplexer.reply(to: id, with: Wire.Reply(status: status)) == nil, "a second reply")
            }
        }
    }
}

enum MessageFuzz {
    /// What decodes can be sent again and is then the same.
    static func run(_ input: [UInt8]) throws(Violation) {
        guard let frame = decode(input), frame.id != 0 else { return }
        let encoded = frame.encoded()
        let again = encoded.withUnsafeBytes { decode(Array($0.dropFirst(4))) }
        // The number of an unknown method is for the answer only; it is not sent on.
        try expect(again == frame.withoutUnknownMethod, "the frame is not the one that was sent")
        try expect(again?.encoded() == encoded, "it is encoded in another way the second time")
    }

    private static func decode(_ message: [UInt8]) -> Wire.Frame? {
        message.withUnsafeBytes { try? Wire.Frame(decoding: $0) }
    }
}

extension Wire.Frame {
    fileprivate var withoutUnknownMethod: Wire.Frame {
        guard case .call(var call) = kind else { return self }
        call.unknownField = 0
        return Wire.Frame(id: id, kind: .call(call))
    }
}

enum HandshakeFuzz {
    /// The first byte says how the output is cut into pieces.
    static func run(_ input: [UInt8]) throws(Violation) {
        guard let first = input.first else { return }
        let output = Array(input.dropFirst())
        let directory = Array("/run/trstctl/x".utf8)
        for line in output.split(separator: 0x0A, omittingEmptySubsequences: false).map(Array.init) {
            let name: [UInt8]
            do throws(HandshakeLineError) {
                name = try HandshakeLine.socketName(in: line, directory: directory)
            } catch {
                continue
            }
            let printed = HandshakeLine(socketPath: directory + [0x2F] + name).bytes
            try expect(printed.dropLast().elementsEqual(line), "another line means the same socket")
            try expect(!name.contains(0x2F) && !name.contains(0) && name.count <= 32, "a name that is a path")
        }
        var lines = OutputLines()
        let size = Int(first) + 1
        for start in stride(from: 0, to: output.count, by: size) {
            let texts = output[start..<min(output.count, start + size)].withUnsafeBytes { lines.append($0) }
            for text in texts {
                // Every byte can stand for one character of at most twelve bytes.
                try expect(text.utf8.count <= OutputLines.maximumLine * 12 + 16, "a line of \(text.utf8.count) bytes")
                try expect(
                    text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }, "a control character")
            }
        }
        _ = lines.finish()
    }
}
