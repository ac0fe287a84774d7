package import TrstctlPolicy
package import TrstctlSystem

/// A command as it was authorised for a rollback.
package struct RollbackCommand: Hashable, Sendable {
    /// The arguments; the first is the program's absolute path.
    package var argv: [Bytes]
    /// The terms of the rules that covered it; the program has to meet those of one of them.
    package var terms: [ExecTerms]

    package init(argv: [Bytes], terms: [ExecTerms]) {
        self.argv = argv
        self.terms = terms
    }

    /// The rules that allow it again, and nothing else.
    package var grants: GrantSet {
        var set = GrantSet()
        for terms in terms {
            guard var grant = try? ExecGrant(argv: argv) else { continue }
            grant.terms = terms
            set.exec.append(grant)
        }
        return set
    }
}

/// What a journal has to know about a deployment to undo it without the manifest and without the connector.
package struct DeploymentHeader: Hashable, Sendable {
    package var target: String
    package var connector: String
    /// The SHA-256 of the connector's bytes, hexadecimal.
    package var digest: String
    /// The fingerprint that is deployed.
    package var fingerprint: String
    /// The fingerprints of which one is served when the deployment is undone; empty when that is not known.
    package var served: [String]
    /// Where it is served, when the manifest says.
    package var probe: Probe?
    /// The commands that make the target use files that were put back; only authorised ones.
    package var rollback: [RollbackCommand]

    package init(target: String, connector: String, digest: String, fingerprint: String) {
        self.target = target
        self.connector = connector
        self.digest = digest
        self.fingerprint = fingerprint
        served = []
        rollback = []
    }
}

/// How a deployment ended.
package enum DeploymentEnd: UInt8, Sendable {
    /// Everything stays.
    case committed = 1
    /// Everything is as it was before.
    case undone = 2
    /// The operator said that it stays as it is.
    case abandoned = 3
}

/// What is about to happen to a file.
struct FileChange: Sendable {
    /// The file before the deployment's first change; absent from later records.
    enum Before: Sendable {
        case absent
        case file(FileState)
        /// It lies in a version of a directory, and what was before is another version.
        case inVersion
    }

    var ticket: FileTicket
    /// The name, in the file's directory, of the temporary file that every write of this file goes through.
    var temporary: Bytes
    /// Nil when an earlier record says it.
    var before: Before?
    /// The SHA-256 of the content that it gets; nil when it is removed.
    var after: [UInt8]?
}

/// A version that is about to be made.
struct StagedVersion: Hashable, Sendable {
    var layout: VersionedLayout
    var name: VersionName
    /// What the layout's path was before the deployment.
    var origin: VersionOrigin
}

/// The kinds of record; the number is the first byte of a record's body.
enum JournalRecord: UInt8 {
    case begin = 1
    case change = 2
    case run = 3
    case end = 4
    case stage = 5

    static func begin(_ id: UInt32, _ header: DeploymentHeader) -> Bytes {
        var encoder = JournalEncoder(.begin, id, capacity: 512)
        for text in [header.target, header.connector, header.digest, header.fingerprint] { encoder.put(text) }
        encoder.put(UInt32(clamping: header.served.count))
        for text in header.served { encoder.put(text) }
        // 1 without, 2 with a word for STARTTLS behind it.
        encoder.put(header.probe.map { $0.startTLS == nil ? 1 : 2 } ?? 0)
        if let probe = header.probe {
            encoder.put(probe.address.text)
            encoder.put(probe.serverName?.text ?? "")
            encoder.put(UInt32(clamping: probe.timeout))
            if let startTLS = probe.startTLS { encoder.put(startTLS.rawValue) }
        }
        encoder.put(UInt32(clamping: header.rollback.count))
        for command in header.rollback {
            encoder.put(UInt32(clamping: command.argv.count))
            for word in command.argv { encoder.put(word) }
            encoder.put(UInt32(clamping: command.terms.count))
            for terms in command.terms {
                encoder.put(UInt32(terms.allowsSetuid ? 1 : 0))
                encoder.put(UInt32(clamping: terms.pins.count))
                for pin in terms.pins { encoder.put(Bytes(pin.bytes)) }
            }
        }
        return encoder.bytes()
    }

    static func change(_ id: UInt32, _ change: FileChange) -> Bytes {
        var size = 0
        if case .file(let state) = change.before { size = state.content.count }
        var encoder = JournalEncoder(.change, id, capacity: size + 4_608)
        encoder.put(change.ticket.path.bytes)
        encoder.put(change.ticket.root.bytes)
        encoder.put(change.temporary)
        encoder.put(Bytes(change.after ?? []))
        switch change.before {
        case nil: encoder.put(UInt32(0))
        case .absent: encoder.put(UInt32(1))
        case .file(let state):
            encoder.put(UInt32(2))
            for number in [state.mode, state.uid, state.gid] { encoder.put(number) }
            encoder.put(state.content)
        case .inVersion: encoder.put(UInt32(3))
        }
        return encoder.bytes()
    }

    static func stage(_ id: UInt32, _ version: StagedVersion) -> Bytes {
        var encoder = JournalEncoder(.stage, id, capacity: 4_608)
        encoder.put(version.layout.link.bytes)
        encoder.put(version.layout.root.bytes)
        encoder.put(version.name.bytes)
        encoder.put(version.origin.name.bytes)
        encoder.put(UInt32(version.origin.present == .directory ? 1 : 0))
        return encoder.bytes()
    }

    static func run(_ id: UInt32) -> Bytes { JournalEncoder(.run, id, capacity: 16).bytes() }

    static func end(_ id: UInt32, _ end: DeploymentEnd) -> Bytes {
        var encoder = JournalEncoder(.end, id, capacity: 16)
        encoder.put(UInt32(end.rawValue))
        return encoder.bytes()
    }
}

/// Writes numbers and byte strings one after the other.
private struct JournalEncoder: ~Copyable {
    private var buffer: WipedBuffer

    init(_ kind: JournalRecord, _ id: UInt32, capacity: Int) {
        buffer = WipedBuffer(capacity: capacity, limit: JournalFormat.maximumBody)
        _ = buffer.append(kind.rawValue)
        put(id)
    }

    mutating func put(_ number: UInt32) { _ = withUnsafeBytes(of: number.bigEndian) { buffer.append(copying: $0) } }

    mutating func put(_ bytes: Bytes) {
        put(UInt32(clamping: bytes.count))
        _ = buffer.append(bytes)
    }

    mutating func put(_ text: String) { put(Bytes(text)) }

    consuming func bytes() -> Bytes { buffer.bytes(isSecret: true) }
}
