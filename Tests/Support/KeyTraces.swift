package import Foundation

/// What a secret would look like wherever it must not be: as it is, in base64, in hexadecimal.
package struct KeyTraces: Sendable {
    private var needles: [(form: String, bytes: Data)] = []

    /// The traces of a P-256 key in an unencrypted PKCS#8 PEM file.
    ///
    /// Lines of the PEM that hold nothing but the public half are no trace.
    ///
    /// - Parameter path: of the file.
    /// - Throws: when it cannot be read; nil-like traces when it is another kind of key.
    package init(keyAt path: String) throws {
        let pem = try Data(contentsOf: URL(fileURLWithPath: path))
        let lines = String(decoding: pem, as: UTF8.self).split(separator: "\n").filter { !$0.hasPrefix("-") }
        for line in lines.prefix(2) { needles.append(("a line of the PEM", Data(line.utf8))) }
        let body = lines.joined()
        needles.append(("base64 without line breaks", Data(body.prefix(112).utf8)))
        needles.append(("base64 of the PEM", pem.base64EncodedData().prefix(160).suffix(120)))
        let der = Data(base64Encoded: body) ?? Data()
        // RFC 5915: version 1, then the private key as 32 octets.
        guard let mark = der.range(of: Data([0x02, 0x01, 0x01, 0x04, 0x20])), der.count >= mark.upperBound + 32 else {
            throw CocoaError(.fileReadCorruptFile)
        }
        add(secret: der[mark.upperBound..<mark.upperBound + 32], "the private number")
        needles.append(("the private number backwards", Data(der[mark.upperBound..<mark.upperBound + 32].reversed())))
    }

    /// The traces of a text, for example a password of at least 8 bytes.
    package init(text: String) {
        add(secret: Data(text.utf8), "the text")
        needles.append(("base64 of the text", Data(text.utf8).base64EncodedData().prefix(text.utf8.count / 3 * 4)))
    }

    private mutating func add(secret: Data, _ name: String) {
        needles.append((name, secret))
        for format in ["%02x", "%02X"] {
            let digits = secret.map { String(format: format, $0) }
            for separator in ["", ":", " "] {
                needles.append(("\(name) in hexadecimal", Data(digits.joined(separator: separator).utf8)))
            }
        }
    }

    /// The forms that occur in the bytes.
    package func found(in data: Data) -> [String] {
        needles.filter { data.range(of: $0.bytes) != nil }.map(\.form)
    }

    /// The files below a directory with a trace in them, or in their names.
    ///
    /// - Parameters:
    ///   - directory: is searched with everything below.
    ///   - excluded: paths where the secret belongs.
    /// - Returns: `path: form` each.
    package func found(below directory: String, except excluded: [String]) -> [String] {
        var found: [String] = []
        let files = FileManager.default.enumerator(atPath: directory)
        while let name = files?.nextObject() as? String {
            let path = "\(directory)/\(name)"
            guard !excluded.contains(where: { path == $0 || path.hasPrefix($0 + "/") }) else { continue }
            let content = FileManager.default.contents(atPath: path) ?? Data()
            for form in self.found(in: content + Data(name.utf8)) { found.append("\(path): \(form)") }
        }
        return found
    }

    /// The processes, all of the machine, whose words or environment hold a trace.
    package func foundInProcesses() -> [String] {
        var found: [String] = []
        for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? [] where Int32(name) != nil {
            for file in ["cmdline", "environ"] {
                guard let data = FileManager.default.contents(atPath: "/proc/\(name)/\(file)") else { continue }
                for form in self.found(in: data) { found.append("/proc/\(name)/\(file): \(form)") }
            }
        }
        return found
    }

    /// The traces in the memory of a process, which takes a privilege that only root has.
    ///
    /// - Parameter pid: the process.
    /// - Returns: `mapping: form` each.
    package func found(inMemoryOf pid: Int32) -> [String] {
        guard let maps = FileHandle(forReadingAtPath: "/proc/\(pid)/maps"),
            let memory = FileHandle(forReadingAtPath: "/proc/\(pid)/mem")
        else { return ["no memory to read"] }
        var found: [String] = []
        for line in String(decoding: maps.readDataToEndOfFile(), as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ", omittingEmptySubsequences: true)
            let range = (words.first ?? "").split(separator: "-").compactMap { UInt64($0, radix: 16) }
            guard range.count == 2, words.count > 1, words[1].hasPrefix("r"), !line.hasSuffix("[vvar]"),
                !line.hasSuffix("[vsyscall]"), (try? memory.seek(toOffset: range[0])) != nil,
                let data = try? memory.read(upToCount: Int(range[1] - range[0]))
            else { continue }
            for form in self.found(in: data) { found.append("\(line): \(form)") }
        }
        return found
    }
}
