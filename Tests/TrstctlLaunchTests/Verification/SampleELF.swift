/// Programs that are no more than what says that they are.
enum SampleELF {
    /// The smallest ELF header with a program header table of one entry that loads nothing: a static executable.
    static var staticELF: [UInt8] {
        #if arch(x86_64)
            header(machine: 62)
        #else
            header(machine: 183)
        #endif
    }

    static func header(machine: UInt16) -> [UInt8] {
        var header = [UInt8](repeating: 0, count: 120)
        header.replaceSubrange(0..<7, with: [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1])
        header[16] = 2
        header[18] = UInt8(truncatingIfNeeded: machine)
        header[32] = 64
        header[54] = 56
        header[56] = 1
        header[64] = 1
        return header
    }
}
