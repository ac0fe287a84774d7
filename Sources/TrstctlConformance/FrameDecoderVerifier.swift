internal import TrstctlSystem
package import TrstctlWire

/// Shows that the decoder gives the same frames however the stream is cut into pieces.
///
/// Each way of cutting runs on a fresh decoder: byte by byte, in two pieces split at every offset, frame by frame, and
/// all at once. Together they cover a decoder that looks at a length too early, forgets the rest of a read, or takes
/// bytes of the next frame.
package struct FrameDecoderVerifier: Sendable {
    /// The longest frame to accept, in bytes without the length prefix.
    package var maximumFrameBytes: Int

    package init(maximumFrameBytes: Int = 4 << 20) {
        self.maximumFrameBytes = maximumFrameBytes
    }

    /// Sends the frames through a decoder in every way.
    ///
    /// - Parameter frames: valid frames; splitting at every offset takes time quadratic in their length.
    /// - Returns: what differed, in words; empty when all is well.
    package func mismatches(_ frames: [Wire.Frame]) -> [String] {
        let encoded = frames.map { $0.encoded().array }
        let stream = encoded.flatMap { $0 }
        var found: [String] = []
        check("byte by byte", stream.map { [$0] }, frames, &found)
        check("all at once", [stream], frames, &found)
        check("frame by frame", encoded, frames, &found)
        for offset in 0...stream.count {
            check(
                "split at \(offset)", [Array(stream.prefix(offset)), Array(stream.dropFirst(offset))], frames, &found)
        }
        return found
    }

    private func check(_ way: String, _ pieces: [[UInt8]], _ frames: [Wire.Frame], _ found: inout [String]) {
        do {
            let decoded = try decode(pieces)
            if decoded != frames { found.append("\(way): \(decoded.count) frames, not the \(frames.count) sent") }
        } catch {
            found.append("\(way): \(error)")
        }
    }

    /// Decodes a stream that arrives in these pieces, to its end.
    ///
    /// - Throws: the first `WireError`, that of a stream which ends inside a frame included.
    package func decode(_ pieces: [[UInt8]]) throws(WireError) -> [Wire.Frame] {
        var decoder = FrameDecoder(maximumFrameBytes: maximumFrameBytes)
        var frames: [Wire.Frame] = []
        for piece in pieces {
            var rest = piece[...]
            while !rest.isEmpty {
                let count = decoder.withFreeSpace { space in
                    let count = min(space.count, rest.count)
                    space.copyBytes(from: rest.prefix(count))
                    return count
                }
                rest = rest.dropFirst(count)
                while let next = try decoder.next() { frames.append(next.frame) }
            }
        }
        try decoder.finish()
        return frames
    }
}
