import Glibc
package import TrstctlSystem

/// What an executable is, which decides what its digest covers and what it must be able to read when it runs.
package enum ExecutableKind: Hashable, Sendable, CustomStringConvertible {
    /// An ELF file without an interpreter: its digest covers every byte that runs.
    case staticELF
    /// An ELF file that loads shared libraries through this dynamic linker; the digest does not cover them.
    case dynamicELF(interpreter: Bytes)
    /// A file that begins with `#!`; the digest covers neither the interpreter nor what it imports.
    case script
    /// An ELF file for another machine or word size.
    case foreignELF(machine: UInt16, is64Bit: Bool)
    /// An ELF file that ends too early or contradicts itself.
    case brokenELF
    /// Anything else.
    case unknown

    /// As `plugin list` shows it.
    package var description: String {
        switch self {
        case .staticELF: "static"
        case .dynamicELF: "dynamic"
        case .script: "script"
        case .foreignELF(let machine, let is64Bit):
            "for another machine (\(ExecutableKind.machineName(machine)), \(is64Bit ? 64 : 32)-bit; "
                + "this one is \(ExecutableKind.machineName(ExecutableKind.machine)))"
        case .brokenELF: "a damaged ELF file"
        case .unknown: "not an executable this machine knows"
        }
    }
}

extension ExecutableKind {
    private static let headerSize = 64
    private static let programHeaderSize = 56
    /// More program headers than this no linker writes; Linux itself stops at 65,536 bytes of them.
    private static let maximumProgramHeaders = 128
    private static let interpreterHeader: UInt32 = 3  // PT_INTERP
    #if arch(x86_64)
        fileprivate static let machine: UInt16 = 62  // EM_X86_64
    #elseif arch(arm64)
        fileprivate static let machine: UInt16 = 183  // EM_AARCH64
    #endif

    /// The usual name of an ELF machine, see elf(5) and the ELF registry.
    fileprivate static func machineName(_ machine: UInt16) -> String {
        let names: [UInt16: String] = [
            3: "x86", 8: "MIPS", 20: "PowerPC", 21: "PowerPC 64", 22: "S/390", 40: "ARM", 62: "x86-64", 183: "AArch64",
            243: "RISC-V", 258: "LoongArch",
        ]
        return names[machine] ?? "ELF machine \(machine)"
    }

    /// Reads the headers of a sealed copy, see elf(5), and trusts no number in them.
    init(of descriptor: Int32) {
        let header = FileSlice(descriptor, at: 0, count: ExecutableKind.headerSize)
        guard header.starts(with: [0x7f, 0x45, 0x4c, 0x46]) else {
            self = header.starts(with: Array("#!".utf8)) ? .script : .unknown
            return
        }
        guard let wordSize = header.byte(4), let order = header.byte(5), let machine = header.integer16(18) else {
            self = .brokenELF
            return
        }
        guard wordSize == 2, order == 1, machine == ExecutableKind.machine else {
            self = .foreignELF(machine: order == 1 ? machine : machine.byteSwapped, is64Bit: wordSize == 2)
            return
        }
        self = ExecutableKind.ofNative(header, descriptor)
    }

    private static func ofNative(_ header: FileSlice, _ descriptor: Int32) -> ExecutableKind {
        let executableTypes: [UInt16] = [2, 3]  // ET_EXEC, ET_DYN
        guard let type = header.integer16(16), executableTypes.contains(type), let table = header.integer64(32),
            let entrySize = header.integer16(54), entrySize == programHeaderSize,
            let count = header.integer16(56), count > 0, count <= maximumProgramHeaders
        else { return .brokenELF }
        for index in 0..<UInt64(count) {
            let (offset, overflow) = table.addingReportingOverflow(index * UInt64(programHeaderSize))
            guard !overflow else { return .brokenELF }
            let entry = FileSlice(descriptor, at: offset, count: programHeaderSize)
            guard let kind = entry.integer32(0), let start = entry.integer64(8), let size = entry.integer64(32) else {
                return .brokenELF
            }
            guard kind == interpreterHeader else { continue }
            guard size > 1, size <= UInt64(PATH_MAX) else { return .brokenELF }
            let path = FileSlice(descriptor, at: start, count: Int(size)).bytes
            guard path.count == Int(size), path.last == 0, path.first == UInt8(ascii: "/"),
                !path.dropLast().contains(0)
            else { return .brokenELF }
            return .dynamicELF(interpreter: Bytes(Array(path.dropLast())))
        }
        return .staticELF
    }
}

/// A piece of a file, as much of it as there is; every access is checked.
struct FileSlice {
    let bytes: [UInt8]

    init(_ descriptor: Int32, at offset: UInt64, count: Int) {
        guard let offset = off_t(exactly: offset) else {
            bytes = []
            return
        }
        var buffer = [UInt8](repeating: 0, count: count)
        let got = pread(descriptor, &buffer, count, offset)
        bytes = Array(buffer.prefix(max(0, got)))
    }

    func starts(with prefix: [UInt8]) -> Bool { bytes.starts(with: prefix) }

    func byte(_ offset: Int) -> UInt8? { bytes.indices.contains(offset) ? bytes[offset] : nil }

    func integer16(_ offset: Int) -> UInt16? { integer(offset) }

    func integer32(_ offset: Int) -> UInt32? { integer(offset) }

    func integer64(_ offset: Int) -> UInt64? { integer(offset) }

    private func integer<Value: FixedWidthInteger>(_ offset: Int) -> Value? {
        let size = Value.bitWidth / 8
        guard offset >= 0, offset + size <= bytes.count else { return nil }
        return bytes[offset..<(offset + size)].reversed().reduce(0) { $0 << 8 | Value($1) }
    }
}
