import Glibc
package import TrstctlPolicy
package import TrstctlSystem

/// Why a script's interpreter may not run it.
package enum InterpreterFault: Error, Equatable, Sendable, CustomStringConvertible {
    /// The script's first line cannot be read.
    case badFirstLine
    /// The script names another interpreter than the manifest.
    case other(found: Bytes, expected: AbsolutePath)
    /// The interpreter's file is not the pinned one.
    case mismatch(AbsolutePath, found: SHA256Digest, expected: [SHA256Digest])
    /// The interpreter's file can be changed by others, or is no regular file.
    case unsafe(AbsolutePath)
    /// The first line names a program that looks for the interpreter by itself, such as `env`.
    case looksUp(Bytes)
    /// The interpreter is no program for this machine, for example itself a script.
    case notAProgram(AbsolutePath, ExecutableKind)
    /// It cannot be read.
    case unreadable(AbsolutePath, String)

    package var description: String {
        switch self {
        case .badFirstLine: "its first line is not #!/absolute/path with at most one argument, in 255 bytes"
        case .other(let found, let expected):
            "its first line names \(printable(found)), the manifest's script: names \(expected)"
        case .mismatch(let path, let found, let expected):
            "the interpreter \(path) is not the pinned one\n  "
                + (expected.map { "expected: \($0.hex)" } + ["found:    \(found.hex)"]).joined(separator: "\n  ")
        case .unsafe(let path): "the interpreter \(path) has to be a regular file that only root or you can write"
        case .looksUp(let found):
            "its first line names \(printable(found)), which would choose what runs by looking for it: "
                + "write the interpreter's own path there, the one that the manifest's script: names"
        case .notAProgram(let path, let kind): "the interpreter \(path) is no program of this machine: \(kind)"
        case .unreadable(let path, let reason): "the interpreter \(path) cannot be read: \(reason)"
        }
    }
}

/// A private copy of the interpreter's bytes whose digest the operator pinned, for a script.
package final class SealedInterpreter: Sendable {
    /// As the manifest and the script name it; the first argument that it gets.
    package let path: AbsolutePath
    /// The one argument of the script's first line; nil when there is none, see execve(2).
    package let argument: Bytes?
    package let digest: SHA256Digest
    /// A static or a dynamic executable.
    package let kind: ExecutableKind
    /// Where the file was after symbolic links; only to find the library that belongs to it.
    package let resolvedPath: Bytes
    /// The sealed memfd.
    package let descriptor: OwnedDescriptor

    /// The most bytes of a first line that the kernel reads, execve(2).
    private static let lineLimit = 255

    init(of script: SealedExecutable, rule: ScriptRule) throws(InterpreterFault) {
        let (named, argument) = try SealedInterpreter.firstLine(of: script)
        guard !SealedInterpreter.looksUp(named) else { throw .looksUp(named) }
        guard named == rule.interpreter.bytes else { throw .other(found: named, expected: rule.interpreter) }
        path = rule.interpreter
        self.argument = argument
        let file = try SealedInterpreter.open(rule.interpreter)
        let copy = try SealedInterpreter.copy(file, rule.interpreter)
        digest = copy.digest
        guard Pins(rule.pins).accept(copy.digest) else {
            throw .mismatch(rule.interpreter, found: copy.digest, expected: rule.pins)
        }
        kind = ExecutableKind(of: copy.descriptor.raw)
        switch kind {
        case .staticELF, .dynamicELF: break
        case .script, .foreignELF, .brokenELF, .unknown: throw .notAProgram(rule.interpreter, kind)
        }
        resolvedPath = SealedInterpreter.resolve(file) ?? rule.interpreter.bytes
        descriptor = copy.descriptor
    }

    /// The interpreter that a script's first line names, when the manifest could name it too.
    ///
    /// What a shell would take for more than a path is nil, because it is shown in a command to type.
    static func named(in script: SealedExecutable) -> Bytes? {
        guard let (named, _) = try? firstLine(of: script), !looksUp(named), (try? AbsolutePath(named)) != nil,
            named.text?.utf8.allSatisfy({ isPlain($0) }) ?? false
        else { return nil }
        return named
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        byte.isASCIIAlphanumeric || "/._-+".utf8.contains(byte)
    }

    private static func looksUp(_ named: Bytes) -> Bool {
        named.array.split(separator: UInt8(ascii: "/")).last.map(Array.init) == Array("env".utf8)
    }

    private static func firstLine(of script: SealedExecutable) throws(InterpreterFault) -> (Bytes, Bytes?) {
        let start = FileSlice(script.descriptor.raw, at: 0, count: lineLimit).bytes
        guard let end = start.firstIndex(of: UInt8(ascii: "\n")), end > 2 else { throw .badFirstLine }
        let isSpace = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
        var line = start[2..<end].drop(while: isSpace)
        while let last = line.last, isSpace(last) { line.removeLast() }
        let name = line.prefix { !isSpace($0) }
        let rest = line[name.endIndex...].drop(while: isSpace)
        guard name.first == UInt8(ascii: "/"), !line.contains(0) else { throw .badFirstLine }
        return (Bytes(Array(name)), rest.isEmpty ? nil : Bytes(Array(rest)))
    }

    private static func open(_ path: AbsolutePath) throws(InterpreterFault) -> OwnedDescriptor {
        let number = path.bytes.withCString { Glibc.open($0, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) }
        guard number != -1 else { throw .unreadable(path, SystemError.last("open").reason) }
        let file = OwnedDescriptor(number)
        var status = stat()
        guard fstat(number, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_mode & 0o022 == 0,
            status.st_uid == 0 || status.st_uid == geteuid()
        else { throw .unsafe(path) }
        return file
    }

    private static func resolve(_ file: borrowing OwnedDescriptor) -> Bytes? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/fd/\(file.raw)", &buffer, buffer.count)
        return count > 0 ? Bytes(buffer.prefix(count).map { UInt8(bitPattern: $0) }) : nil
    }

    private static func copy(
        _ file: borrowing OwnedDescriptor, _ path: AbsolutePath
    ) throws(InterpreterFault) -> SealedCopy {
        do throws(Stop) {
            return try SealedCopy(
                file.raw, name: "trstctl-interpreter", limit: SealedExecutable.defaultLimit,
                patience: SealedExecutable.defaultPatience)
        } catch {
            throw .unreadable(path, "\(error.code)")
        }
    }
}
