/// A program for the kernel's filter of system calls (seccomp(2)): data, which the child installs.
///
/// Every rule ends in an answer on every way through it: once an argument was loaded, the number of the call is gone, and
/// falling through would compare the argument with the numbers that follow.
package struct SystemCallFilter: Sendable {
    /// One instruction of the classic BPF machine; linux/filter.h.
    package struct Instruction: Hashable, Sendable {
        package var code: UInt16
        package var jumpTrue: UInt8 = 0
        package var jumpFalse: UInt8 = 0
        package var operand: UInt32
    }

    /// The program.
    package private(set) var instructions: [Instruction] = []
    /// Which instruction compares with the process's number, which nobody knows before there is the process.
    package private(set) var pidIndex = 0

    /// The filter of a connector.
    ///
    /// - Parameters:
    ///   - architecture: of the process.
    ///   - pid: the process's own number; the launcher puts it in when it is not known yet.
    ///   - key: what the launcher passes to execveat.
    package init(_ architecture: Architecture, pid: UInt32 = 0, key: UInt64) {
        load(4)  // seccomp_data.arch
        jump(.equal, architecture.audit, 1, 0)
        answer(SystemCallFilter.killProcess)
        load(0)  // seccomp_data.nr
        if let foreign = architecture.foreignCalls {
            jump(.notLess, foreign, 0, 1)
            answer(SystemCallFilter.killProcess)
        }
        for (call, rule) in FilterRule.connector(pid: pid, key: key) {
            guard let number = architecture.calls[call] else { continue }
            if call == "tgkill" { pidIndex = instructions.count + 2 }
            add(number, rule)
        }
        answer(SystemCallFilter.error(1))  // EPERM
    }

    private mutating func add(_ number: UInt32, _ rule: FilterRule) {
        switch rule {
        case .allow: add(number, answer: SystemCallFilter.allow)
        case .deny(let error): add(number, answer: SystemCallFilter.error(error))
        case .kill: add(number, answer: SystemCallFilter.killProcess)
        case .when(let tests, let error):
            // Load, mask, and a jump for each value; then the two answers.
            let lengths = tests.map { 1 + ($0.mask == .max ? 0 : 1) + $0.values.count }
            var remaining = lengths.reduce(0, +)
            jump(.equal, number, 0, UInt8(remaining + 2))
            for (test, length) in zip(tests, lengths) {
                load(16 + 8 * test.index + test.half.rawValue)  // seccomp_data.args
                if test.mask != .max { append(0x54, test.mask) }  // BPF_ALU | BPF_AND
                remaining -= length
                // Behind the last jump of this test come the tests that remain, then "yes", then "no".
                let refused = UInt8(remaining + 1)
                for (offset, value) in test.values.enumerated() {
                    let left = UInt8(test.values.count - 1 - offset)
                    let last = left == 0
                    if test.isAmong {
                        jump(.equal, value, left, last ? refused : 0)
                    } else {
                        jump(.equal, value, left + refused, 0)
                    }
                }
            }
            answer(SystemCallFilter.allow)
            answer(SystemCallFilter.error(error))
        }
    }

    private mutating func add(_ number: UInt32, answer value: UInt32) {
        jump(.equal, number, 0, 1)
        answer(value)
    }

    private mutating func append(_ code: UInt16, _ operand: UInt32) {
        instructions.append(Instruction(code: code, operand: operand))
    }

    private mutating func load(_ offset: UInt32) { append(0x20, offset) }  // BPF_LD | BPF_W | BPF_ABS

    private mutating func answer(_ value: UInt32) { append(0x06, value) }  // BPF_RET | BPF_K

    private enum Comparison: UInt16 {
        case equal = 0x15  // BPF_JMP | BPF_JEQ | BPF_K
        case notLess = 0x35  // BPF_JMP | BPF_JGE | BPF_K
    }

    private mutating func jump(_ comparison: Comparison, _ value: UInt32, _ isTrue: UInt8, _ isFalse: UInt8) {
        instructions.append(
            Instruction(code: comparison.rawValue, jumpTrue: isTrue, jumpFalse: isFalse, operand: value))
    }

    /// SECCOMP_RET_ALLOW.
    package static let allow: UInt32 = 0x7fff_0000
    /// SECCOMP_RET_KILL_PROCESS.
    package static let killProcess: UInt32 = 0x8000_0000

    /// SECCOMP_RET_ERRNO.
    package static func error(_ number: Int32) -> UInt32 { 0x0005_0000 | UInt32(number) }
}
